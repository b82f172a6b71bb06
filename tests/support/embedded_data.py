"""Data directories of the embedded database, copied for tests that need one of their own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.support.database import PREPARED

# What the gateway copies databases from, and writes nothing to.
NEVER_WRITTEN = ("pristine", f"databases/{PREPARED}")


def copy_data(whole: Path, data: Path) -> None:
    """Copy a data directory; files that are never written to are linked, in a tenth of the time."""
    linked = {str(whole / name) for name in NEVER_WRITTEN}

    def left(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if os.path.join(folder, name) in linked]  # noqa: PTH118, as copytree says it

    shutil.copytree(whole, data, dirs_exist_ok=True, ignore=left)
    for name in NEVER_WRITTEN:
        if (whole / name).exists():
            shutil.copytree(whole / name, data / name, copy_function=os.link)

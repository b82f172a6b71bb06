"""The commands of docs/server.md, run one after the other as they stand; but for the proxy with its certificate."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.embedded_data import copy_data
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.processes import started

PAGE = ROOT / "docs" / "server.md"
BEHIND_A_PROXY = "https://hp.example.org"
BETWEEN = "-- next --"


def commands() -> list[str]:
    """Return the page's commands, one for each line."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.skipif(shutil.which("psql") is None, reason="needs psql")
def test_two_tenants_three_keys_and_a_bi_login_in_ten_commands(migrated: Path, tmp_path: Path) -> None:
    run, *rest = commands()
    assert 1 + len(rest) == 10
    port, db_port = str(free_port()), str(free_port())
    where = {"DATA": str(tmp_path / "data"), "PORT": port, "DB_PORT": db_port, "DATABASE_URL": ""}
    copy_data(migrated, Path(where["DATA"]))
    names = re.findall(r"(\w+)=(\S+)", run)
    with started(["make", "run"], **where, **dict(names)) as service:
        service.wait_for("Ctrl-C")
        script = "\n".join(f"{line}\necho {BETWEEN}" for line in rest if BEHIND_A_PROXY not in line)
        for documented, actual in ((":8000", f":{port}"), ("-p 15432", f"-p {db_port}")):
            assert documented in script
            script = script.replace(documented, actual)
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=ROOT,
            env={**os.environ, **where},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    stored, staff, gym, table = [part for part in done.stdout.split(BETWEEN) if part.strip()]
    assert '"inserted":1' in stored
    assert '"101"' in staff
    assert '"101"' not in gym
    assert re.search(r"clinic +\| 101 +\| 2025-01-15 10:00:00\+00 \| +72", table)
    assert "(1 row)" in table

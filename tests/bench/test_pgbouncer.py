"""Which PgBouncer is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.bench.ingest.processes import CannotStart
from scripts.bench.pgbouncer import find_program


@pytest.mark.parametrize(("version", "is_taken"), [("1.18.0", False), ("1.20.1", False), ("1.21.0", True)])
def test_one_that_keeps_no_prepared_statements_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, is_taken: bool
) -> None:
    program = tmp_path / "pgbouncer"
    program.write_text(f"#!/bin/sh\necho 'PgBouncer {version}'\necho 'libevent 2.1.12-stable'\n")
    program.chmod(0o755)
    monkeypatch.setenv("BENCH_PGBOUNCER", str(program))
    if is_taken:
        assert find_program() == str(program)
    else:
        with pytest.raises(CannotStart, match=rf"is PgBouncer {version}: name 1\.21 or newer"):
            find_program()

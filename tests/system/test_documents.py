"""What the documents say is what happens: every console example is run, in order, and its output compared."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.embedded_data import copy_data
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.processes import started

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def examples(document: Path) -> list[tuple[str, str]]:
    """Return each command of a document's console blocks with the output that is promised."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip()))
    return found


@pytest.fixture(scope="module")
def instead(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A fresh `make run`, and what stands for the documented ports and for the way to its password."""
    data, port, db_port = str(tmp_path_factory.mktemp("data")), str(free_port()), str(free_port())
    copy_data(migrated, Path(data))
    with started(["make", "run"], DATA=data, PORT=port, DB_PORT=db_port, DATABASE_URL="") as command:
        command.wait_for("Ctrl-C")
        yield {":8000": f":{port}", ":15432": f":{db_port}", "PGPASSFILE=.data/": f"PGPASSFILE={data}/"}


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if examples(path)], ids=lambda path: path.name)
def test_examples_say_what_happens(document: Path, instead: dict[str, str]) -> None:
    exported = ""
    for command, output in examples(document):
        if command.startswith("psql") and shutil.which("psql") is None:
            continue
        for documented, actual in instead.items():
            command = command.replace(documented, actual)
        if command.startswith("export "):  # holds for the commands after it
            exported += f"{command}\n"
            continue
        command = exported + command
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
        assert (without_sources(done.stdout.strip()), done.stderr) == (without_sources(output), ""), command


def without_sources(answer: str) -> str:
    """Leave out which resolutions answered, which depends on whether a refresh has come in between."""
    return re.sub(r'"sources":\[[^]]*\]', '"sources":[]', answer)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


def test_the_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        named = set(re.findall(r"`make ([a-z]+)", document.read_text(encoding="utf-8")))
        assert named <= targets, document.name

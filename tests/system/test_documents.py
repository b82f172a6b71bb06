"""What the documents say is what happens: every console example is run, in order, and its output compared."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

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
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A fresh `make run`, and the ports that stand for the documented ones."""
    instead = {"8000": str(free_port()), "15432": str(free_port())}
    environment = {"PORT": instead["8000"], "DB_PORT": instead["15432"], "DATABASE_URL": ""}
    with started(["make", "run"], DATA=str(tmp_path_factory.mktemp("data")), **environment) as command:
        command.wait_for("Ctrl-C")
        yield instead


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if examples(path)], ids=lambda path: path.name)
def test_examples_say_what_happens(document: Path, ports: dict[str, str]) -> None:
    for command, output in examples(document):
        if command.startswith("psql") and shutil.which("psql") is None:
            continue
        for documented, actual in ports.items():
            command = command.replace(f":{documented}", f":{actual}")
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

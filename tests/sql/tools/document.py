"""The sections of docs/bi.md: what stands in their blocks and tables."""

from __future__ import annotations

import re

from tests.support.paths import ROOT


def section(title: str) -> str:
    """Return what stands below a heading of docs/bi.md."""
    text = (ROOT / "docs" / "bi.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return str(found)


def blocks(title: str, language: str) -> list[str]:
    """Return the fenced blocks of a section that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section(title), re.DOTALL | re.MULTILINE)


def table(title: str, header: str) -> dict[str, str]:
    """Return the first code of each row of the table that begins with this header, by what its first cell says."""
    (body,) = re.findall(rf"^\| {header} \|.*?\n\| --- .*?\n((?:\|.*\n)+)", section(title), re.MULTILINE)
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in body.splitlines()]
    return {first.strip("| "): code[0] for first, second in cells if (code := re.findall(r"`([^`]+)`", second))}

"""The alerts of deploy/prometheus, as promtool judges them."""

from __future__ import annotations

import subprocess

from tests.support.prometheus import FOLDER, RULES, needs_promtool, program


@needs_promtool
def test_the_rules_are_valid_and_fire_when_they_should() -> None:
    promtool = str(program("promtool"))
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", str(FOLDER / "rules.test.yml")]):
        done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

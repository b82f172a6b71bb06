"""The tests of Hyperpulse. Asserts of their helpers show values too when they fail."""

import os

import pytest

# The services and scripts that tests start would each compile themselves where no compiled modules may be kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest.register_assert_rewrite("tests.support")

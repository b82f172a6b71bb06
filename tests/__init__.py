"""The tests of Hyperpulse. Asserts of their helpers show values too when they fail."""

import pytest

pytest.register_assert_rewrite("tests.support")

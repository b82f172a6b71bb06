"""What is logged of failures that repeat."""

from __future__ import annotations

import logging

import psycopg
import pytest

from service.refresh.failure_log import Complaints


def test_each_kind_of_failure_is_said_once_until_it_goes_well(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    away, full = psycopg.OperationalError("away\nmore"), psycopg.errors.DiskFull("full")
    with caplog.at_level(logging.WARNING, "hyperpulse"):
        for error in (away, full, away, full):
            complaints.say("it failed", error)
        complaints.forget()
        complaints.say("it failed", away)
    assert caplog.messages == ["it failed: away", "it failed: 53100: full", "it failed: away"]


def test_a_surprise_is_said_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    Complaints().say("it failed", KeyError("name"))
    assert caplog.records[0].exc_info is not None

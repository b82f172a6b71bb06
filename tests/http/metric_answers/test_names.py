"""Which names of metrics are taken, and how others are refused."""

from __future__ import annotations

import httpx
import psycopg
import pytest

from service.answers.metrics_asked import NAME, UNITS
from tests.http.metric_answers import WHOLE_DAY, ask, sample
from tests.support.keys import add_key, bearer
from tests.support.samples import write_samples
from tests.support.service_process import running_service
from tests.support.wire import reading, refused

HOSTILE = [
    ("", "must be names of metrics with commas between them, or all"),
    (",", "must be names of metrics with commas between them, or all"),
    ("spo2,", "must be names of metrics with commas between them, or all"),
    ("spo2,,steps", "must be names of metrics with commas between them, or all"),
    ("sp\0o2", "must not contain the character NUL"),
    (",".join(f"metric_{n}" for n in range(101)), "must have at most 100 names"),
    ("x" * 128, "must have names of at most 127 characters"),
    ("x" * 60_000, "must have names of at most 127 characters"),
    ("sp02", "has a name that is not known; spo2 is probably meant"),
    ("spo2,hart_rate", "has a name that is not known; heart_rate is probably meant"),
    ("SpO2", "has a name that is not known; spo2 is probably meant"),
    (" spo2", "has a name that is not known; spo2 is probably meant"),
    ("all,spo2", "has a name that is not known; "),
    ("x" * 127, "has a name that is not known; GET /v1/metrics lists those that are"),
    ("null", "has a name that is not known; "),
    ("{spo2}", "has a name that is not known; "),
    ("spo2;DROP TABLE core.sample", "has a name that is not known; "),
    ("'; SELECT 1; --", "has a name that is not known; "),
    ("%s", "has a name that is not known; "),
    ("日本語", "has a name that is not known; GET /v1/metrics lists those that are"),
    ("spo2\n", "has a name that is not known; "),
    ("\ud83d".encode("utf-8", "surrogatepass"), "has a name that is not known; "),
    ("ahead", "has a name that is not known; "),
]  # fmt: skip


@pytest.mark.parametrize("what", ["summary", "series", "latest", "readings"])
@pytest.mark.parametrize("user", ["ada", "nobody"])
def test_bad_names_are_refused(client: httpx.Client, subtests: pytest.Subtests, user: str, what: str) -> None:
    client.post("/v1/readings", json=reading())
    for names, problem in HOSTILE:
        with subtests.test(names=repr(names)[:20]):
            answer = client.get(f"/v1/users/{user}/{what}", params={"metrics": names})
            (fault,) = refused(answer, 422)["errors"]
            assert fault["at"] == "metrics"
            assert fault["problem"].startswith(problem), fault
            assert len(fault["value"]) <= 201


@pytest.mark.parametrize("media_type", ["text/csv", "application/x-ndjson"])
def test_bad_names_are_refused_before_a_stream_begins(client: httpx.Client, media_type: str) -> None:
    client.post("/v1/readings", json=reading())
    params = WHOLE_DAY | {"metrics": "spo2,sp02"}
    answer = client.get("/v1/users/ada/readings", params=params, headers={"Accept": media_type})
    assert refused(answer, 422)["errors"][0]["value"] == "sp02"


def test_names_twice_count_once_and_a_hundred_are_taken(filled: httpx.Client, db: psycopg.Connection) -> None:
    once = ask(filled, "summary", metrics="spo2,steps")
    assert ask(filled, "summary", metrics="steps,spo2,spo2,steps,spo2") == once
    assert ask(filled, "summary", metrics=",".join(["spo2", "steps"] * 500)) == once
    own = [f"own_{n}" for n in range(100)]
    for name in own:
        db.execute("SELECT api.set_metric('default', %s, 'm', 'gauge', 0, 10)", [name])
    assert ask(filled, "summary", metrics=",".join(own))["metrics"] == dict.fromkeys(own)
    twice = filled.get("/v1/users/ada/summary", params=[("metrics", "spo2"), ("metrics", "steps")])
    assert refused(twice, 422)["errors"][0]["problem"] == "is given 2 times"


def test_the_pattern_of_names_is_that_of_the_registry(db: psycopg.Connection) -> None:
    (found,) = db.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'metric_name_is_a_word'"
    ).fetchone() or ("",)
    assert f"'^{NAME}$'" in found
    units = dict(db.execute("SELECT name, unit FROM core.metric WHERE metric_key <= 3 ORDER BY metric_key").fetchall())
    assert list(UNITS.items()) == list(units.items())


def test_a_metric_of_another_tenant_is_not_known(database_url: str, db: psycopg.Connection) -> None:
    """Of two tenants with a metric of one name, each sees its own, with its unit and its values."""
    for tenant, unit, value in [("tenant_1", "mmol/L", 2.5), ("tenant_2", "mg/dL", 45.0)]:
        db.execute("SELECT api.set_metric(%s, 'lactate', %s, 'gauge', 0, 100)", [tenant, unit])
        write_samples(db, tenant, [sample("lactate", value)])
    db.execute("SELECT api.set_metric('tenant_2', 'secret', 'm', 'gauge', 0, 100)")
    write_samples(db, "tenant_2", [sample("secret", 7.0)])
    key = add_key(db, ["read"], tenant="tenant_1")
    with running_service(database_url) as url, httpx.Client(base_url=url, headers=bearer(key)) as client:
        for names in ("lactate", "all"):
            found = ask(client, "summary", metrics=names)["metrics"]
            assert found == {"lactate": {"count": 1, "avg": 2.5, "min": 2.5, "max": 2.5, "unit": "mmol/L"}}
            (point,) = ask(client, "series", metrics=names)["points"]
            assert (list(point["metrics"]), point["metrics"]["lactate"]["avg"]) == (["lactate"], 2.5)
            found = ask(client, "latest", metrics=names)["metrics"]
            assert [(name, said["value"], said["unit"]) for name, said in found.items()] == [("lactate", 2.5, "mmol/L")]
            (found,) = ask(client, "readings", metrics=names)["readings"]
            assert found["metrics"] == {"lactate": 2.5}
        for what in ("summary", "series", "latest", "readings"):
            answer = client.get(f"/v1/users/ada/{what}", params={"metrics": "secret"})
            (fault,) = refused(answer, 422)["errors"]
            assert "secret" not in fault["problem"]

"""Settings: read from the environment, refused with the value and the remedy."""

from __future__ import annotations

import pytest

from service.settings import BadSetting, Settings, read_log_format, read_settings

URL = "postgresql://postgres@127.0.0.1/postgres"


def test_only_the_database_is_required() -> None:
    assert read_settings({"DATABASE_URL": URL}) == Settings(URL)


def test_variables_are_named_like_the_fields() -> None:
    settings = read_settings({"DATABASE_URL": URL, "HOST": "::1", "PORT": "8080", "MAX_BODY_BYTES": "1000"})
    assert (settings.host, settings.port, settings.max_body_bytes) == ("::1", 8080, 1000)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "１"])
def test_a_bad_number_is_named(value: str) -> None:
    with pytest.raises(BadSetting, match=f"PORT is '{value}'"):
        read_settings({"DATABASE_URL": URL, "PORT": value})


def test_a_missing_database_is_named() -> None:
    with pytest.raises(BadSetting, match="DATABASE_URL is not set"):
        read_settings({})


def test_the_refresher_can_be_switched_off() -> None:
    seconds = {
        value: read_settings({"DATABASE_URL": URL, "REFRESH_SECONDS": value}).refresh_seconds
        for value in ("off", "60", "")
    }
    assert seconds == {"off": None, "60": 60, "": 2}


def test_the_limit_of_an_address_can_be_switched_off() -> None:
    most = read_settings({"DATABASE_URL": URL, "MAX_CONNECTIONS_PER_ADDRESS": "off"}).max_connections_per_address
    assert most is None


def test_what_switches_nothing_off_is_named() -> None:
    with pytest.raises(BadSetting, match="REFRESH_SECONDS is '0'; it must be a whole number above 0, or off"):
        read_settings({"DATABASE_URL": URL, "REFRESH_SECONDS": "0"})


def test_a_session_lasts_a_year_at_most() -> None:
    assert Settings(URL).session_hours == 12
    assert read_settings({"DATABASE_URL": URL, "SESSION_HOURS": "8784"}).session_hours == 8784
    with pytest.raises(BadSetting, match="SESSION_HOURS is 8785; it must be at most 8784"):
        read_settings({"DATABASE_URL": URL, "SESSION_HOURS": "8785"})


def test_the_access_log_is_a_switch() -> None:
    logs = {value: read_settings({"DATABASE_URL": URL, "ACCESS_LOG": value}).access_log for value in ("1", "0", "")}
    assert logs == {"1": True, "0": False, "": False}
    with pytest.raises(BadSetting, match="ACCESS_LOG is 'yes'; it must be 1 or 0"):
        read_settings({"DATABASE_URL": URL, "ACCESS_LOG": "yes"})


def test_the_format_of_the_log_is_one_of_two() -> None:
    assert [read_log_format({"LOG_FORMAT": value}) for value in ("json", "text", "")] == ["json", "text", None]
    with pytest.raises(BadSetting, match="LOG_FORMAT is 'xml'; it must be json or text"):
        read_log_format({"LOG_FORMAT": "xml"})


def test_replicas_are_addresses_with_commas_between() -> None:
    servers = ("postgresql://one/db", "postgres://a,b:5433/db?connect_timeout=3", "postgresql://three/db")
    for between in (",", ", ", "\n"):
        settings = read_settings({"DATABASE_URL": URL, "READ_DATABASE_URL": between.join(servers)})
        assert settings.read_database_url == servers
    with pytest.raises(BadSetting, match="READ_DATABASE_URL must be addresses") as refused:
        read_settings({"DATABASE_URL": URL, "READ_DATABASE_URL": "host=one password=secret"})
    assert "secret" not in str(refused.value)


def test_senders_read_their_writes_on_the_machine_or_everywhere() -> None:
    assert read_settings({"DATABASE_URL": URL, "READ_YOUR_WRITES": "everywhere"}).read_your_writes == "everywhere"
    with pytest.raises(BadSetting, match="READ_YOUR_WRITES is 'no'; it must be machine or everywhere"):
        read_settings({"DATABASE_URL": URL, "READ_YOUR_WRITES": "no"})


def test_shards_are_pairs_of_a_name_and_an_address() -> None:
    settings = read_settings(
        {"DATABASE_URL": URL, "SHARD_DATABASE_URLS": f"eu={URL}-eu us-1={URL}-us?options=-c%20a%3Db"}
    )
    assert settings.shard_database_urls == (("eu", f"{URL}-eu"), ("us-1", f"{URL}-us?options=-c%20a%3Db"))
    assert read_settings({"DATABASE_URL": URL, "SHARD_DATABASE_URLS": ""}).shard_database_urls == ()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (URL, "in place 1"),
        (f"eu={URL} EU={URL}", "in place 2"),
        ("eu=host=secret", "in place 1"),
        (f"eu={URL} eu={URL}", "'eu' a second time"),
        (f"home={URL}", "'home' a second time"),
    ],
)
def test_a_bad_shard_is_named_without_its_address(value: str, why: str) -> None:
    with pytest.raises(BadSetting, match=why) as refused:
        read_settings({"DATABASE_URL": URL, "SHARD_DATABASE_URLS": value})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (f"eu={URL}", "'home' and 'eu'"),
        (f"eu={URL}-eu us={URL}-us ap={URL}-eu?connect_timeout=3", "'eu' and 'ap'"),
    ],
)
def test_a_database_has_one_name(value: str, why: str) -> None:
    """A tenant that moved from one to the other would be removed from both."""
    with pytest.raises(BadSetting, match=why):
        read_settings({"DATABASE_URL": URL, "SHARD_DATABASE_URLS": value})


@pytest.mark.parametrize("address", ["postgresql://ada:secret@[::1/health", "postgresql://ada:secret@host:port/health"])
@pytest.mark.parametrize(
    ("setting", "form"),
    [
        ("DATABASE_URL", "{}"),
        ("DIRECT_DATABASE_URL", "{}"),
        ("READ_DATABASE_URL", "{}"),
        ("SHARD_DATABASE_URLS", "eu={}"),
    ],
)
def test_a_bad_address_is_refused_without_its_password(setting: str, form: str, address: str) -> None:
    with pytest.raises(BadSetting, match=f"{setting} has no address of a database") as refused:
        read_settings({"DATABASE_URL": URL, setting: form.format(address)})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["STATEMENT_SECONDS", "LOCK_SECONDS"])
def test_a_time_that_postgresql_does_not_take_is_refused(name: str) -> None:
    """Each connection would be refused, as if the database were away."""
    with pytest.raises(BadSetting, match=f"{name} is 2147484; it must be at most 2147483"):
        read_settings({"DATABASE_URL": URL, name: "2147484"})


@pytest.mark.parametrize(
    ("name", "value", "bound"),
    [
        ("POOL_SIZE", "1001", "at most 1000"),
        ("MAX_TENANT_PERCENT", "10001", "at most 10000"),
        ("MAX_TENANT_PERCENT", "4", "at least 5"),
    ],
)
def test_what_no_machine_can_give_is_refused(name: str, value: str, bound: str) -> None:
    with pytest.raises(BadSetting, match=f"{name} is {value}; it must be {bound}, "):
        read_settings({"DATABASE_URL": URL, name: value})
    within = bound.rpartition(" ")[2]
    assert getattr(read_settings({"DATABASE_URL": URL, name: within}), name.lower()) == int(within)


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(BadSetting, match="PORT has 5000 characters"):
        read_settings({"DATABASE_URL": URL, "PORT": "1" * 5000})

"""docker-compose.yml, as far as it can be checked without Docker."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.support.paths import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(TEXT)["services"]


def test_the_database_is_the_current_community_build_on_postgresql_17() -> None:
    images = re.findall(r"^ *image: (.+)$", TEXT, re.MULTILINE)
    assert images == ["timescale/timescaledb:2.29.2-pg17"]


def test_it_reads_the_variables_of_make_run() -> None:
    read = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    assert read == {
        *("HOST", "PORT", "DB_PORT", "DATA", "DATABASE_URL", "POSTGRES_PASSWORD"),
        *("AUTH", "ALLOWED_HOSTS", "ALLOWED_ORIGINS", "TRUSTED_PROXIES"),
    }


def test_nothing_is_published_beyond_loopback_by_default() -> None:
    ports = [port for service in SERVICES.values() for port in service["ports"]]
    assert all(port.startswith(("127.0.0.1:", "${HOST:-127.0.0.1}:")) for port in ports)


def test_there_is_no_default_password() -> None:
    passwords = re.findall(r"PASSWORD: (\S+?)[:?]", TEXT)
    assert passwords
    assert set(passwords) == {"${POSTGRES_PASSWORD"}
    assert "${POSTGRES_PASSWORD:-" not in TEXT


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_and_restarted(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_the_image_holds_what_the_service_needs() -> None:
    copied = set(re.findall(r"^COPY (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    assert copied == {"requirements.lock", "migrations", "sql", "service", "scripts"}
    kept = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert kept == copied

"""docker-compose.yml and what it runs, as far as that can be checked without Docker."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from service.settings import read_settings
from tests.support.paths import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PUBLISHED = yaml.safe_load((ROOT / "docker-compose.database.yml").read_text(encoding="utf-8"))
IMAGES = {
    "TIMESCALEDB_IMAGE": "timescale/timescaledb:2.29.2-pg17",
    "PYTHON_IMAGE": "python:3.13-slim",
    "PROMETHEUS_IMAGE": "prom/prometheus:v3.5.0",
    "GRAFANA_IMAGE": "grafana/grafana:12.1.1",
}
GRAFANA_SOURCES = ROOT / "deploy/grafana/provisioning/datasources/hyperpulse.yml"
OBSERVING = ["prometheus", "grafana"]  # with --profile observe
WATCHED = ["db", "refresher", "service", *OBSERVING]  # all but what ends by itself
WRITABLE = {
    "db": ["${DATA:-database}:/var/lib/postgresql/data"],
    "service": ["imports:/var/tmp"],
    "prometheus": ["metrics:/prometheus"],
    "grafana": ["dashboards:/var/lib/grafana"],
}
OF_COMMANDS = {"prometheus_key", "grafana_login_password"}
"""Secrets that docs/observing.md makes by commands, when the database is there."""


def defaults(text: str) -> dict[str, str]:
    """Return what stands in a compose file for variables that are not set."""
    return dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", text))


def environment(name: str) -> dict[str, str]:
    """Return the environment of a container where no variable is set."""
    return {
        key: re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", value)
        for key, value in SERVICES[name].get("environment", {}).items()
    }


def test_images_are_named_once_by_exact_tags() -> None:
    """The database is the current Community build on PostgreSQL 17."""
    assert {name: image for name, image in defaults(TEXT).items() if name.endswith("IMAGE")} == IMAGES
    assert re.findall(r"^ARG PYTHON_IMAGE=(.+)$", DOCKERFILE, re.MULTILINE) == [IMAGES["PYTHON_IMAGE"]]
    # What packages are installed with stays in the first.
    assert re.findall(r"^FROM (.+)$", DOCKERFILE, re.MULTILINE) == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]


BUILDX = """#!/bin/sh
test "$3" = inspect || exit 1
case "$6" in
  "{{.Manifest"*) echo "Name: $4"; echo "Digest: sha256:of-$4" ;;
  "{{print .Manifest.Digest}}") echo "sha256:of-$4" ;;
esac
"""
"""What `docker buildx imagetools` answers: a template that begins so is taken for a wish for the table."""


def test_the_images_can_be_pinned_by_digest(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text(BUILDX)
    docker.chmod(0o755)
    done = run("pin.sh", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.stdout.splitlines() == [f"{name}={image}@sha256:of-{image}" for name, image in IMAGES.items()]


def test_an_image_without_a_digest_is_not_pinned(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError) as failure:
        run("pin.sh", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert failure.value.stdout == ""


def run(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script of docker/."""
    command = ["sh", str(ROOT / "docker" / script), *arguments]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=True)


def test_it_reads_these_variables_and_no_secret() -> None:
    read = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    assert read == {
        *("HOST", "PORT", "DATA", "AUTH", "ALLOWED_HOSTS", "ALLOWED_ORIGINS", "TRUSTED_PROXIES"),
        *(
            "TIMESCALEDB_IMAGE",
            "PYTHON_IMAGE",
            "PROMETHEUS_IMAGE",
            "GRAFANA_IMAGE",
            "DB_CPUS",
            "DB_MEMORY",
            "GRAFANA_PORT",
        ),
    }


def test_only_the_service_and_dashboards_are_published_and_on_loopback() -> None:
    assert {name: each.get("ports", []) for name, each in SERVICES.items() if "ports" in each} == {
        "service": ["${HOST:-127.0.0.1}:${PORT:-8000}:8000"],
        "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
    }
    assert not [name for name, each in SERVICES.items() if "network_mode" in each]


def test_the_database_can_be_published_on_loopback_only() -> None:
    assert list(PUBLISHED["services"]) == ["db"]
    assert PUBLISHED["services"]["db"]["ports"] == ["127.0.0.1:${DB_PORT:-15432}:5432"]


def test_the_roles_are_made_once_the_database_answers() -> None:
    lines = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8").splitlines()
    (made,) = [n for n, line in enumerate(lines) if line.startswith("docker compose exec db sh /docker-entrypoint")]
    assert lines[made - 1] == "docker compose up --detach --wait db"


def test_every_command_knows_that_the_database_is_published() -> None:
    """One with the first file alone would start the database again without its port."""
    setting = "COMPOSE_FILE=docker-compose.yml:docker-compose.database.yml"
    for document in ("docker-compose.database.yml", "docs/docker.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        assert f"echo {setting} >> .env" in text
        assert "docker-compose.database.yml up" not in text


def test_the_network_of_the_database_has_no_way_out() -> None:
    assert COMPOSE["networks"]["database"] == {"internal": True}
    assert {name: each["networks"] for name, each in SERVICES.items()} == {
        "db": ["database"],
        "migrate": ["database"],
        "refresher": ["database"],
        "service": ["database", "clients"],
        "prometheus": ["database"],
        "grafana": ["database", "clients"],
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    container = SERVICES[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["init"] is True
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & container.keys()
    assert "/tmp" in container["tmpfs"]
    limits = container["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert set(container["logging"]["options"]) == {"max-size", "max-file"}
    # What is mounted is the data, room for files that are imported, and read-only files of this repository.
    mounts = container.get("volumes", [])
    assert [mount for mount in mounts if not mount.endswith(":ro")] == WRITABLE.get(name, [])
    assert all((ROOT / mount.split(":")[0]).exists() for mount in mounts if mount.endswith(":ro"))


def test_no_container_runs_as_root() -> None:
    assert {name: each["user"] for name, each in SERVICES.items() if "user" in each} == {
        "db": "postgres",
        "prometheus": "nobody",
        "grafana": "472",
    }
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001"]


@pytest.mark.parametrize("name", WATCHED)
def test_every_container_that_stays_is_watched_and_restarted(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_what_migrates_ends_before_the_service_begins() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["command"] == ["python", "-m", "scripts.migrate"]
    assert SERVICES["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    for name in ("refresher", "service"):
        assert SERVICES[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_what_clients_reach_does_not_own_the_database() -> None:
    roles = {
        name: conninfo_to_dict(environment(name)["DATABASE_URL"])["user"]
        for name in ("migrate", "refresher", "service")
    }
    assert roles == {"migrate": "hyperpulse_owner", "refresher": "hyperpulse_owner", "service": "hyperpulse_web"}
    settings = {name: read_settings(environment(name)) for name in ("refresher", "service")}
    assert (settings["service"].refresh_seconds, settings["service"].host) == (None, "0.0.0.0")
    assert settings["refresher"].refresh_seconds is not None
    assert settings["refresher"].host == "127.0.0.1"


def test_the_database_has_connections_for_all() -> None:
    """The image sets fewer by itself, 25 with its 2 GB."""
    server = dict(word.split("=") for word in SERVICES["db"]["command"][2::2])
    pools = [read_settings(environment(name)).pool_size for name in ("refresher", "service")]
    sources = yaml.safe_load(GRAFANA_SOURCES.read_text(encoding="utf-8"))["datasources"]
    (dashboards,) = [each["jsonData"]["maxOpenConns"] for each in sources if each["uid"] == "hyperpulse-database"]
    # Each process listens on one more, the elected one has two for its tasks, and three are the superuser's.
    assert sum(pools) + len(pools) + 2 + dashboards + 3 <= int(server["max_connections"]) / 2
    assert int(server["max_locks_per_transaction"]) >= 256  # docs/running.md


def test_a_container_has_the_passwords_that_it_needs_as_files() -> None:
    assert {name: each["secrets"] for name, each in SERVICES.items()} == {
        "db": ["superuser_password", "owner_password", "web_password"],
        "migrate": ["owner_password"],
        "refresher": ["owner_password"],
        "service": ["web_password"],
        "prometheus": ["prometheus_key"],
        "grafana": ["grafana_admin_password", "grafana_login_password"],
    }
    assert all(set(source) == {"file"} for source in COMPOSE["secrets"].values())
    for name in SERVICES:
        for variable, value in environment(name).items():
            assert "PASSWORD" not in variable or (variable.endswith("_FILE") and value.startswith("/run/secrets/"))
            assert not re.search(r"://[^@/]*:[^@/]*@", value), "an address with a password"


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    script = tmp_path / "docker" / "secrets.sh"
    script.parent.mkdir()
    script.write_bytes((ROOT / "docker" / "secrets.sh").read_bytes())
    folder = tmp_path / ".secrets"
    mounted = tmp_path / "deploy" / "prometheus" / "rules.yml"
    mounted.parent.mkdir(parents=True)
    mounted.touch()
    for path in (script, mounted, mounted.parent, script.parent):  # a checkout under the umask 077
        path.chmod(0o700 if path.is_dir() else 0o600)

    def made() -> dict[str, str]:
        subprocess.run(["sh", str(script)], check=True)
        return {path.name: path.read_text(encoding="ascii") for path in folder.iterdir()}

    first = made()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(first) == {Path(source["file"]).name for source in COMPOSE["secrets"].values()} - OF_COMMANDS
    assert len({*first.values()}) == len(first) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", password) for password in first.values())
    assert made() == first
    # Containers read what is mounted as users of their own.
    assert [stat.S_IMODE(path.stat().st_mode) for path in (script, mounted, mounted.parent)] == [0o644, 0o644, 0o755]


def test_libpq_gets_the_password_in_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    secret, passfile = tmp_path / "secret", tmp_path / "pgpass"
    secret.write_text("a:b\\c")
    passfile.write_text("of before")
    passfile.chmod(0o644)
    done = run("with-password.sh", "sh", "-c", "env", PASSWORD_FILE=str(secret), PGPASSFILE=str(passfile))
    assert passfile.read_text() == "*:*:*:*:a\\:b\\\\c\n"
    assert stat.S_IMODE(passfile.stat().st_mode) == 0o600
    assert "b\\c" not in done.stdout


def test_what_is_run_is_the_command_itself(tmp_path: Path) -> None:
    """Signals reach it, and its status is the container's."""
    done = subprocess.Popen(
        ["sh", ROOT / "docker" / "with-password.sh", "sh", "-c", "echo $$; exit 7"], stdout=subprocess.PIPE
    )
    assert (int(done.communicate()[0]), done.returncode) == (done.pid, 7)


def test_the_image_holds_what_the_service_needs() -> None:
    copied = set(re.findall(r"^COPY ([^-\s]\S*)", DOCKERFILE, re.MULTILINE))
    assert copied == {"requirements.lock", "migrations", "sql", "service", "scripts", "docker/with-password.sh"}
    kept = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert kept == {path.split("/")[0] for path in copied}
    assert 'ENTRYPOINT ["sh", "docker/with-password.sh"]' in DOCKERFILE


def test_the_image_can_be_read_by_its_user() -> None:
    """A checkout may be for its owner only, and COPY keeps that."""
    build, image = re.split(r"^FROM .+$", DOCKERFILE, flags=re.MULTILINE)[1:]
    copied = re.findall(r"^COPY (\S+) ", build, re.MULTILINE)
    readable = re.search(r"chmod -R a\+rX (.+) &&", build)
    assert readable is not None
    assert set(readable[1].split()) == {path.split("/")[0] for path in copied} - {"requirements.lock"}
    assert re.findall(r"^COPY (?!--from=build)", image, re.MULTILINE) == []


def test_the_roles_are_made_in_a_shell_that_goes_on(tmp_path: Path) -> None:
    """The image runs a script that is not executable within the shell that starts the server afterwards."""
    mounted = {mount.split(":")[1]: mount.split(":")[0] for mount in SERVICES["db"]["volumes"] if mount.endswith(":ro")}
    script = ROOT / mounted["/docker-entrypoint-initdb.d/100-roles.sh"]
    (tmp_path / "psql").write_text('#!/bin/sh\necho "$@"; test -n "$WORKS"\n')
    (tmp_path / "psql").chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    within = ["bash", "-Eeuo", "pipefail", "-c", f". {script}; echo goes on"]
    done = subprocess.run(within, env=path | {"WORKS": "1"}, capture_output=True, text=True, check=True)
    options, last = done.stdout.splitlines()
    assert mounted[options.split("--file ")[1]] == "./docker/roles.sql"
    assert last == "goes on"
    failed = subprocess.run(within, env=path | {"WORKS": ""}, capture_output=True, text=True, check=False)
    assert (failed.returncode, "goes on" in failed.stdout) == (1, False)

"""deploy/: units for systemd and manifests for Kubernetes, as far as they can be checked without either."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from service import __version__
from service.settings import read_settings
from tests.support.paths import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
MANIFEST = ROOT / "deploy" / "kubernetes" / "hyperpulse.yml"
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))
PODS = {
    each["metadata"]["name"]: each["spec"]["template"]["spec"]
    for each in OBJECTS
    if each["kind"] in ("Job", "Deployment")
}
OLDEST_KUBERNETES = "1.31"


class Repeated(dict):  # type: ignore[type-arg]
    """Options of a unit, of which each may stand there several times."""

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, list) and key in self:
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def options(path: Path) -> dict[str, list[str]]:
    """Return the section [Service] of a unit."""
    parser = RawConfigParser(dict_type=Repeated, strict=False, delimiters=("=",), empty_lines_in_values=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text(encoding="utf-8"))
    return {key: value.split("\n") for key, value in parser.items("Service")}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for path in UNITS:
        # It looks for the programs.
        text = path.read_text(encoding="utf-8").replace("/opt/hyperpulse/.venv/bin/python", "/bin/true")
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())], capture_output=True, text=True, check=False
    )
    # Warnings of the machine's own units aside.
    said = [line for line in (done.stdout + done.stderr).splitlines() if "hyperpulse" in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_units_are_confined(path: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_no_unit_runs_as_root_or_holds_a_password(path: Path) -> None:
    unit = options(path)
    assert unit["User"] == ["hyperpulse"]
    assert unit["CapabilityBoundingSet"] == [""]
    (credential,) = unit["LoadCredential"]
    assert re.fullmatch(r"pgpass:/etc/hyperpulse/(web|owner)\.pgpass", credential)
    assert "PGPASSFILE=%d/pgpass" in unit["Environment"]
    assert "postgresql://" not in path.read_text(encoding="utf-8")


def test_what_clients_reach_does_not_own_the_database() -> None:
    units = {path.stem: options(path) for path in SERVICES}
    assert units["hyperpulse"]["LoadCredential"] == ["pgpass:/etc/hyperpulse/web.pgpass"]
    assert units["hyperpulse-refresher"]["LoadCredential"] == ["pgpass:/etc/hyperpulse/owner.pgpass"]
    settings = {
        name: read_settings({"DATABASE_URL": "postgresql://x", **variables(units[name]["Environment"])})
        for name in ("hyperpulse", "hyperpulse-refresher")
    }
    assert settings["hyperpulse"].refresh_seconds is None
    assert settings["hyperpulse-refresher"].refresh_seconds is not None
    assert settings["hyperpulse-refresher"].host == "127.0.0.1"
    of_pods = {name: environment(name) for name in PODS}
    assert "hyperpulse_web@" in of_pods["hyperpulse"]["DATABASE_URL"]
    assert read_settings(of_pods["hyperpulse"]).refresh_seconds is None
    for name in ("hyperpulse-migrate", "hyperpulse-refresher"):
        assert "hyperpulse_owner@" in of_pods[name]["DATABASE_URL"]
    assert read_settings(of_pods["hyperpulse-refresher"]).refresh_seconds is not None


def variables(lines: list[str]) -> dict[str, str]:
    """Return the variables of a unit."""
    return dict(word.split("=", 1) for line in lines for word in line.split())


def environment(name: str) -> dict[str, str]:
    """Return the environment of a pod."""
    (common,) = [each["data"] for each in OBJECTS if each["kind"] == "ConfigMap"]
    (container,) = PODS[name]["containers"]
    return {**common, **{each["name"]: each["value"] for each in container["env"]}}


@pytest.mark.skipif(shutil.which("kubernetes-validate") is None, reason="needs kubernetes-validate")
@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, "1.36"])
def test_kubernetes_accepts_the_manifests(version: str) -> None:
    command = ["kubernetes-validate", "--strict", "--kubernetes-version", version, str(MANIFEST)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed") == len(OBJECTS), done.stdout


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_confined(name: str) -> None:
    pod = PODS[name]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"USER {pod['securityContext']['runAsUser']}" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["image"] == f"hyperpulse:{__version__}"
    assert "memory" in container["resources"]["limits"]


def test_files_to_import_have_room() -> None:
    """They are kept in TMPDIR, and /tmp is memory of a few MB."""
    (service,) = PODS["hyperpulse"]["containers"]
    mounts = {mount["mountPath"]: mount["name"] for mount in service["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in PODS["hyperpulse"]["volumes"]}
    room = volumes[mounts[environment("hyperpulse")["TMPDIR"]]]["emptyDir"]
    settings = read_settings(environment("hyperpulse"))
    assert "medium" not in room
    assert int(room["sizeLimit"].removesuffix("Gi")) * 2**30 >= settings.max_imports * settings.max_import_bytes


def test_the_database_restarts_nothing() -> None:
    for name in ("hyperpulse", "hyperpulse-refresher"):
        (container,) = PODS[name]["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/health"
        assert container["startupProbe"]["httpGet"]["path"] == "/health"
    (service,) = PODS["hyperpulse"]["containers"]
    assert service["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_selectors_find_their_pods() -> None:
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in OBJECTS
        if each["kind"] in ("Job", "Deployment")
    }
    for each in OBJECTS:
        if each["kind"] == "Deployment":
            assert each["spec"]["selector"]["matchLabels"] == labels[each["metadata"]["name"]]
    (selector,) = [each["spec"]["selector"] for each in OBJECTS if each["kind"] == "Service"]
    assert selector == labels["hyperpulse"]

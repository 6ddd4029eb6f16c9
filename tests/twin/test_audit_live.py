"""`drillctl audit --live` in a twin: nothing wrong on a normal day, a real defect found, and nothing changed by it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.loader.site import load_site
from orchestrator.twin import Twin
from tests.support.command import Said, drillctl
from tests.support.sites import ROOT
from tests.support.twins import files_of, network_of, twin_of, until

pytestmark = pytest.mark.twin

SITE = ROOT / "inventory/example"
HOST, ROUTER = "gw-a1", "ce-a"
LIVE = {"live-one-session", "live-no-default-route", "live-clock"}


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with twin_of(SITE, "audit-live") as up:
        gateways = load_site(SITE).topology.gateways
        wanted = sum(item.enabled and not item.receives_only for item in gateways)
        until(lambda: len(up.truth()["current"]) == wanted, 60)
        yield up


def _audited(twin: Twin, state: Path) -> Said:
    inside = [sys.executable, "-m", "orchestrator", "audit", "--live", "--json", "--site", str(SITE)]
    return drillctl("twin", "exec", twin.name, "--", *inside, state=state)


def _wrong(said: Said) -> list[tuple[str, str]]:
    found = json.loads(said.out)
    assert {item["rule"] for item in found} >= LIVE
    return [(item["rule"], item["where"]) for item in found if item["result"] in ("violated", "not_judged")]


def _files(twin: Twin, host: str) -> dict[str, bytes]:
    """Everything that a person or a program of the host keeps in its folders of settings and of passing things."""
    root = files_of(twin, host)
    folders = [root / name for name in ("tmp", "var/tmp", "root", "opt/nqtrade")]
    files = [item for folder in folders if folder.is_dir() for item in folder.rglob("*")]
    return {
        str(item.relative_to(root)): item.read_bytes() if item.suffix in (".ini", ".conf", ".xml", ".cfg") else b""
        for item in files
    }


def test_a_twin_on_a_normal_day_has_no_finding_and_is_left_as_it_was(twin: Twin, tmp_path: Path) -> None:
    before, logins = _files(twin, HOST), _logins(twin)
    said = _audited(twin, tmp_path)
    assert said.code == 0, said.err
    assert _wrong(said) == []
    assert _files(twin, HOST) == before
    assert before, "nothing was compared"
    assert _logins(twin) == logins


def _logins(twin: Twin) -> list[object]:
    """Every log-in that a front has seen, accepted or refused."""
    return list(twin.truth()["logins"])


def test_a_default_route_on_a_router_is_found_and_nothing_else(twin: Twin, tmp_path: Path) -> None:
    enter = ["nsenter", f"--net={network_of(twin, ROUTER)}", "ip", "route"]
    subprocess.run([*enter, "add", "default", "dev", "lo"], check=True, timeout=10)
    try:
        said = _audited(twin, tmp_path)
    finally:
        subprocess.run([*enter, "del", "default", "dev", "lo"], check=True, timeout=10)
    assert said.code == 1, said.err
    assert _wrong(said) == [("live-no-default-route", f"live.hosts.{ROUTER}.default_routes")]

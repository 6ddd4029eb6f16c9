"""`drillctl audit --live` in a twin: nothing wrong on a normal day, a real defect found, and nothing changed by it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.loader.site import load_site
from orchestrator.rules.rulebook import LIVE_RULES
from orchestrator.twin import Twin
from tests.support.command import Said, drillctl
from tests.support.sites import ROOT
from tests.support.twins import files_of, network_of, twin_of, until

pytestmark = pytest.mark.twin

SITE = ROOT / "inventory/example"
HOST, ROUTER = "gw-a1", "ce-a"
LIVE = {rule.id for rule in LIVE_RULES}


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with twin_of(SITE, "audit-live") as up:
        gateways = load_site(SITE).topology.gateways
        wanted = sum(item.enabled and not item.receives_only for item in gateways)
        until(lambda: len(up.truth()["current"]) == wanted, 60)
        yield up


def _audited(twin: Twin, state: Path, site: Path = SITE) -> Said:
    inside = [sys.executable, "-m", "orchestrator", "audit", "--live", "--json", "--site", str(site)]
    return drillctl("twin", "exec", twin.name, "--", *inside, state=state)


def _wrong(said: Said) -> list[tuple[str, str]]:
    assert said.code in (0, 1), said.err
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


@contextmanager
def _enters(twin: Twin, host: str, do: str, undo: str) -> Iterator[None]:
    """A person types `do` on the host, and later `undo`."""
    enter = ["nsenter", f"--net={network_of(twin, host)}", "sh", "-ec"]
    subprocess.run([*enter, do], check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run([*enter, undo], check=True, timeout=10)


@pytest.mark.parametrize(
    ("host", "do", "undo", "found"),
    [
        (
            ROUTER,
            "ip route add default dev lo",
            "ip route del default dev lo",
            [("live-no-default-route", f"live.hosts.{ROUTER}.default_routes")],
        ),
        (
            HOST,
            "echo 1 > /proc/sys/net/ipv4/ip_forward",
            "echo 0 > /proc/sys/net/ipv4/ip_forward",
            [("live-isolation", f"live.hosts.{HOST}.isolation")],
        ),
        (
            HOST,
            "ip route add default dev lo metric 4000",
            "ip route del default dev lo metric 4000",
            [("live-isolation", f"live.hosts.{HOST}.isolation")],
        ),
    ],
    ids=["default route", "forwarding", "another network"],
)
def test_a_defect_of_the_network_is_found_and_nothing_else(
    twin: Twin, tmp_path: Path, host: str, do: str, undo: str, found: list[tuple[str, str]]
) -> None:
    with _enters(twin, host, do, undo):
        said = _audited(twin, tmp_path)
    assert _wrong(said) == found
    assert said.code == 1, said.err


def test_a_line_that_ends_at_a_switched_port_is_found_and_nothing_else(twin: Twin, tmp_path: Path) -> None:
    line = next(item for item in load_site(SITE).topology.lines if item.router == ROUTER)
    do = f"ip link add br-test type bridge; ip addr add {line.local_address}/32 dev br-test"
    with _enters(twin, ROUTER, do, "ip link del br-test"):
        said = _audited(twin, tmp_path)
    assert _wrong(said) == [("live-routed-port", f"live.lines.{line.id}.port")]


def test_a_list_that_somebody_changed_in_a_file_is_found_and_nothing_else(twin: Twin, tmp_path: Path) -> None:
    topology = load_site(SITE).topology
    gateway = next(item for item in topology.gateways if item.host == HOST and len(item.servers) > 1)
    file = files_of(twin, HOST) / str(gateway_spec(topology, gateway)["config"]["path"]).lstrip("/")
    kept = file.read_bytes()
    first = str(topology.front[gateway.servers[0]].address).encode()
    assert first in kept
    file.write_bytes(kept.replace(first, b"203.0.113.77"))
    try:
        said = _audited(twin, tmp_path)
    finally:
        file.write_bytes(kept)
    assert _wrong(said) == [("live-list", f"live.gateways.{gateway.id}.servers")]
    [finding] = [item for item in json.loads(said.out) if item["result"] == "violated"]
    assert "203.0.113.77" in finding["text"]["zh"]
    assert finding["read_at"], "when it was read"


def test_a_log_archive_that_reaches_back_a_month_is_found_and_nothing_else(twin: Twin, tmp_path: Path) -> None:
    shutil.copytree(SITE.parent, tmp_path / "inventory")
    site, month_s = tmp_path / "inventory" / SITE.name, 31 * 86400
    records = site / "records.yml"
    text = records.read_text(encoding="utf-8")
    records.write_text(
        text.replace("kept_months: 60\n", f"kept_months: 60\n    host: {HOST}\n    folder: /srv/logs\n"),
        encoding="utf-8",
    )
    folder = files_of(twin, HOST) / "srv/logs"
    folder.mkdir(parents=True)
    try:
        for name, age_s in (("old", month_s), ("new", 0)):
            (folder / name).touch()
            os.utime(folder / name, (time.time() - age_s, time.time() - age_s))
        said = _audited(twin, tmp_path, site)
    finally:
        shutil.rmtree(folder)
    assert _wrong(said) == [("live-log-archive", "live.log_archives.log-server")]

"""The twin itself: sealed, real ssh, lines that fail silently, ground truth, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.loader.site import load_site
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault
from orchestrator.model.topology import fill
from orchestrator.twin import Twin, ensure_sealed
from orchestrator.twin.programs_needed import ensure_possible
from orchestrator.twin.state import start_ticks
from tests.support.sites import ROOT, RoomSpec, SiteSpec, write_site
from tests.support.twins import Shell, broken, inside, logged_in, own_root, processes_under, twin_of, until

pytestmark = pytest.mark.twin

EXAMPLE = ROOT / "inventory/example"
TOPOLOGY = load_site(EXAMPLE).topology
ENABLED = [gateway for gateway in TOPOLOGY.gateways if gateway.enabled]  # the others are cold standbys
FUTIAN_TRADING = ("172.60.101.30", 7043)
TEL_FUTIAN, UNI_SOUTHERN, CE_B = "203.0.113.2", "203.0.113.6", "203.0.113.242"
DARK_TELECOM = Fault(manner=FaultManner.DARK, carriers=("telecom",))
DARK_LINE = Fault(manner=FaultManner.DARK, lines=("tel-futian",))
CHECK_SEALED = "from orchestrator.twin import ensure_sealed; ensure_sealed()"


@pytest.fixture(scope="module", autouse=True)
def twins_root() -> Iterator[Path]:
    with own_root() as folder:
        yield folder


@pytest.fixture(scope="module")
def quiet() -> Iterator[Twin]:
    """A twin in which no test breaks anything."""
    with twin_of(EXAMPLE, "quiet", lease_s=900) as twin:
        yield twin


@pytest.fixture(scope="module")
def worn() -> Iterator[Twin]:
    with twin_of(EXAMPLE, "worn", lease_s=900) as twin:
        yield twin


@pytest.fixture
def twin(worn: Twin) -> Twin:
    """The twin in which tests break things, with every gateway at the first front of its list."""
    bfd = worn.status()["bfd"]["expected"]
    until(lambda: worn.status()["bfd"]["up"] == bfd, 20)
    until(lambda: len(fronts_in_use(worn)) == len(ENABLED), 40)
    shell = Shell(worn)
    for gateway in ENABLED:
        service = TOPOLOGY.profiles[gateway.profile].service
        if fronts_in_use(worn)[gateway.number] != gateway.servers[0]:
            for command in (service.stop, service.start):
                shell.says(gateway.host, " ".join(fill(word, gateway) for word in command or ()))
    home = {gateway.number: gateway.servers[0] for gateway in ENABLED}
    until(lambda: fronts_in_use(worn) == home, 20)
    return worn


def fronts_in_use(twin: Twin) -> dict[str, str]:
    """By gateway number: the front that it is logged in to, or whose multicast it takes."""
    truth = twin.truth()
    sessions = {number: item["front"] for number, item in truth["current"].items()}
    return sessions | {
        number: item["source_front"] for number, item in truth["receiving"].items() if item["source_front"]
    }


def all_left(twin: Twin, centre: str) -> bool:
    """Every gateway has business again, none of it at this centre."""
    fronts = fronts_in_use(twin)
    return len(fronts) == len(ENABLED) and not any(TOPOLOGY.front[name].centre == centre for name in fronts.values())


def ended(twin: Twin, number: str, since: float) -> list[str]:
    """How the number's sessions ended since then."""
    return [item["how"] for item in twin.truth()["logouts"] if item["number"] == number and item["at"] >= since]


def test_every_host_answers_ssh_as_its_own_user_under_its_own_name(quiet: Twin) -> None:
    shell = Shell(quiet)
    for host in TOPOLOGY.hosts:
        assert shell.says(host.id, "hostname; whoami").split() == [host.id, "gwops"]
    assert shell.says("ce-a", "hostname; whoami").split() == ["ce-a", "root"]


def test_a_host_sees_its_own_processes_files_and_time_zone_only(quiet: Twin) -> None:
    shell = Shell(quiet)
    assert shell.says("gw-a1", "touch /tmp/twin-mine ~/twin-mine && ls /tmp") == "twin-mine"
    assert shell.says("gw-a2", "ls /tmp ~ | grep -c twin-mine || true") == "0"
    assert not Path("/tmp/twin-mine").exists()  # noqa: S108
    assert not Path("/home/gwops").exists()
    assert "W100300" not in shell.says("gw-a1", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert shell.says("gw-a1", "date +%z") == "+0800"


def test_every_enabled_gateway_is_logged_in_once_over_the_first_line_of_its_path(quiet: Twin) -> None:
    until(lambda: len(logged_in(quiet)) == 12, 10)
    truth = quiet.truth()
    assert {number: item["line"] for number, item in truth["current"].items() if number.startswith("W")} == {
        "W100200": "tel-futian",
        "W100300": "tel-futian",
        "W100210": "tel-futian",
        "W100230": "tel-futian",
        "W100201": "tel-southern",
        "W100301": "tel-southern",
        "W100211": "tel-southern",
        "W100231": "tel-southern",
    }
    assert [item["kind"] for item in truth["logins"]] == ["login"] * 12
    assert quiet.status()["gateways"] == {gateway.id: gateway.enabled for gateway in TOPOLOGY.gateways}
    until(lambda: all(item["source_front"] for item in quiet.truth()["receiving"].values()), 10)


def test_outside_a_twin_nothing_is_sealed(quiet: Twin) -> None:
    with pytest.raises(Refused, match="NOT_SEALED"):
        ensure_sealed()
    assert Twin.current() is None
    assert quiet.name in [item.name for item in Twin.all()]


def test_inside_a_twin_everything_is_sealed_and_no_address_outside_is_reached(quiet: Twin) -> None:
    code = f"""
import errno, socket
from orchestrator.twin import Twin, ensure_sealed
Twin.find({quiet.name!r}).enter()
ensure_sealed()
assert Twin.current().name == {quiet.name!r}
for address in ("192.0.2.1", "1.1.1.1", "172.60.101.30"):
    assert socket.socket().connect_ex((address, 53)) == errno.ENETUNREACH, address
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "leak",
    [
        "ip route add default via 198.18.1.11; trap 'ip route del default' EXIT",
        "ip tuntap add leak mode tun; ip link set leak up; trap 'ip link del leak' EXIT",
        "ip route add 10.0.0.0/8 via 198.18.1.1; trap 'ip route del 10.0.0.0/8' EXIT",
        "ip route add 128.0.0.0/1 dev mgmt; trap 'ip route del 128.0.0.0/1' EXIT",
        "ip route add 198.18.9.0/24 nexthop via 198.18.1.1 nexthop via 198.18.1.2; trap 'ip ro del 198.18.9.0/24' EXIT",
    ],
)
def test_a_way_out_of_the_controllers_namespace_is_noticed(quiet: Twin, leak: str) -> None:
    look = f"cd {ROOT} && {sys.executable} -c '{CHECK_SEALED}'"
    done = inside(quiet, "sh", "-c", f"{leak}; {look}")
    assert (done.returncode, "NOT_SEALED" in done.stderr) == (1, True), done.stderr
    assert inside(quiet, "sh", "-c", look).returncode == 0


def test_exec_gives_the_commands_output_and_exit_code(quiet: Twin, capfd: pytest.CaptureFixture[str]) -> None:
    assert quiet.exec(["sh", "-c", "ip route show default; ip -br link show mgmt; exit 7"]) == 7
    assert capfd.readouterr().out.startswith("mgmt")
    assert quiet.exec(["no-such-program"]) == 127


def test_a_dead_line_is_left_within_two_seconds_and_the_session_survives(twin: Twin) -> None:
    shell, since = Shell(twin), time.time()
    assert shell.next_hop("ce-a", FUTIAN_TRADING[0]) == TEL_FUTIAN
    with broken(twin, DARK_LINE):
        until(lambda: shell.next_hop("ce-a", FUTIAN_TRADING[0]) == CE_B, 2.5)
        until(lambda: logged_in(twin)["W100200"]["line"] == "uni-futian", 5)
        assert ended(twin, "W100200", since) == []
    until(lambda: shell.next_hop("ce-a", FUTIAN_TRADING[0]) == TEL_FUTIAN, 3)


def test_a_line_across_the_link_is_not_used_when_it_is_dead(twin: Twin) -> None:
    shell = Shell(twin)
    with broken(twin, Fault(manner=FaultManner.DARK, lines=("tel-futian", "uni-futian"))):
        until(lambda: shell.next_hop("ce-a", FUTIAN_TRADING[0]) is None, 5)
        assert shell.next_hop("ce-a", "172.70.101.30") == UNI_SOUTHERN


def test_a_dark_centre_is_silent_and_leaves_half_open_sessions(twin: Twin) -> None:
    shell, since = Shell(twin), time.time()
    with broken(twin, Fault(manner=FaultManner.DARK, centres=("futian",))):
        assert shell.connects("gw-a2", *FUTIAN_TRADING) == "TimeoutError"
        assert "W100200" in logged_in(twin)  # the front still holds what it cannot know to be dead
        assert shell.next_hop("ce-a", FUTIAN_TRADING[0]) == TEL_FUTIAN  # and no router saw anything
        until(lambda: all_left(twin, "futian"), 40)
    truth = twin.truth()
    assert ended(twin, "W100200", since) == ["timeout"]
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)


@pytest.mark.matrix
def test_a_grey_carrier_is_seen_by_applications_only(twin: Twin) -> None:
    shell, expected = Shell(twin), twin.status()["bfd"]["expected"]
    with broken(twin, Fault(manner=FaultManner.GREY, lines=("tel-futian",))):
        assert shell.connects("gw-a1", *FUTIAN_TRADING) == "TimeoutError"
        until(lambda: all_left(twin, "futian"), 40)
        assert shell.next_hop("ce-a", FUTIAN_TRADING[0]) == TEL_FUTIAN
        assert twin.status()["bfd"] == {"expected": expected, "up": expected}


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("manner", "becomes"), [(FaultManner.REFUSE, "ConnectionRefusedError"), (FaultManner.HANG, "connected")]
)
def test_a_refusing_centre_resets_and_a_hanging_one_accepts(twin: Twin, manner: FaultManner, becomes: str) -> None:
    shell = Shell(twin)
    with broken(twin, Fault(manner=manner, centres=("futian",))):
        assert shell.connects("gw-a2", *FUTIAN_TRADING) == becomes
        until(lambda: all_left(twin, "futian"), 40)
    assert shell.connects("gw-a2", *FUTIAN_TRADING) == "connected"


def test_overlapping_faults_are_lifted_one_by_one(twin: Twin) -> None:
    shell = Shell(twin)
    with broken(twin, DARK_TELECOM):
        twin.inject(DARK_LINE, 60)
        until(lambda: shell.next_hop("ce-a", FUTIAN_TRADING[0]) == CE_B, 3)
    assert [item["lines"] for item in twin.status()["faults"]] == [["tel-futian"]]
    until(lambda: shell.next_hop("ce-a", "198.51.100.11") == "203.0.113.18", 5)
    assert shell.next_hop("ce-a", FUTIAN_TRADING[0]) == CE_B
    twin.lift(DARK_LINE)
    twin.lift(DARK_LINE)
    until(lambda: shell.next_hop("ce-a", FUTIAN_TRADING[0]) == TEL_FUTIAN, 5)
    assert twin.status()["faults"] == []


def test_a_fault_lifts_by_itself_unless_it_is_renewed(twin: Twin) -> None:
    twin.inject(DARK_TELECOM, 1.5)
    until(lambda: twin.status()["faults"][0]["lifts_in_s"] < 0.8, 3)
    twin.renew()
    assert twin.status()["faults"][0]["lifts_in_s"] > 0.8
    assert (twin.is_on(DARK_TELECOM), twin.status()["lapsed"]) == (True, [])
    assert until(lambda: not twin.status()["faults"], 4) > 1.0
    assert not twin.is_on(DARK_TELECOM)
    (lapsed,) = twin.status()["lapsed"]
    assert (lapsed["fault"], twin.truth()["lapsed"]) == ({"manner": "dark", "carriers": ["telecom"]}, [lapsed])
    assert 0 <= time.time() - lapsed["at"] < 4
    until(lambda: Shell(twin).next_hop("ce-a", FUTIAN_TRADING[0]) == TEL_FUTIAN, 5)


def test_a_frozen_host_accepts_and_says_nothing_until_it_is_thawed(twin: Twin) -> None:
    shell = Shell(twin)
    twin.sabotage("freeze_host", host="gw-a1")
    assert twin.status()["hosts"]["gw-a1"] == "frozen"
    connect = "import socket; s = socket.create_connection(('198.18.1.11', 22), 2); s.settimeout(1); s.recv(1)"
    assert "TimeoutError: timed out" in inside(twin, sys.executable, "-c", connect).stderr
    assert shell.run("gw-a1", "true").returncode == 255
    twin.sabotage("thaw_host", host="gw-a1")
    assert Shell(twin).says("gw-a1", "hostname") == "gw-a1"


@pytest.mark.matrix
def test_market_data_comes_by_the_satellite_when_every_terrestrial_line_is_dead(twin: Twin) -> None:
    def source() -> str | None:
        found: str | None = twin.truth()["receiving"]["W100220"]["source_front"]
        return found

    until(lambda: source() == "futian-multicast", 5)
    with broken(twin, DARK_LINE):
        until(lambda: source() == "southern-multicast", 10)
        with broken(twin, Fault(manner=FaultManner.DARK, lines=("uni-southern",))):
            until(lambda: source() == "satellite-multicast", 10)


def test_a_static_routers_path_moves_when_it_is_told_to(twin: Twin) -> None:
    shell = Shell(twin)
    with broken(twin, Fault(manner=FaultManner.DARK, lines=("tel-southern",))):
        until(lambda: all_left(twin, "southern"), 40)
        assert shell.next_hop("ce-b", "172.50.101.30") == "203.0.113.14"
        assert shell.connects("gw-b1", "172.50.101.30", 7043) == "TimeoutError"
        shell.says("ce-b", "ip route replace 172.50.101.0/24 via 203.0.113.241")
        assert shell.connects("gw-b1", "172.50.101.30", 7043) == "connected"
        shell.says("ce-b", "ip route replace 172.50.101.0/24 via 203.0.113.14")


def test_a_killed_gateway_stays_away_and_a_blocked_one_does_not_start(worn: Twin) -> None:
    shell = Shell(worn)
    gateway = "nq-ccnet-2"  # no other test needs it
    worn.sabotage("kill_gateway", gateway=gateway)
    until(lambda: "W100231" not in logged_in(worn), 5)
    logins = len(worn.truth()["logins"])
    worn.sabotage("block_gateway", gateway=gateway)
    shell.run("gw-b4", "/opt/ccnet/bin/ccnetctl start W100231")
    log = "tail -1 /opt/ccnet/nq-ccnet-2/ccnet.log"
    until(lambda: shell.says("gw-b4", log).endswith("start refused: blocked"), 5)
    assert not worn.status()["gateways"][gateway]
    assert len(worn.truth()["logins"]) == logins
    with pytest.raises(Refused, match="NO_GATEWAY"):
        worn.sabotage("kill_gateway", gateway="nobody")


def machine() -> tuple[list[str], str]:
    """What a twin could leave on the machine besides processes: mounts and network devices."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return mounts, subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout


def is_gone(processes: dict[int, int]) -> bool:
    """A namespace ends with its last process: so none is left either."""
    return not [pid for pid, started in processes.items() if start_ticks(pid) == started]


def test_down_leaves_nothing(twins_root: Path) -> None:
    before = machine()
    with twin_of(EXAMPLE, "gone") as twin:
        processes = processes_under(twin)
        assert len(processes) > 12 + 14 + 14  # hosts and routers, gateways, birds
        assert machine() == before
    assert is_gone(processes)
    assert machine() == before
    assert not (twins_root / "gone").exists()
    twin.down()
    with pytest.raises(Refused, match="NO_TWIN"):
        twin.status()


def test_a_killed_daemon_leaves_a_stale_folder_only_and_the_next_look_removes_it(twins_root: Path) -> None:
    before = machine()
    with twin_of(EXAMPLE, "killed") as twin:
        processes = processes_under(twin)
        os.kill(twin.pid, signal.SIGKILL)
        until(lambda: is_gone(processes), 5)
        assert machine() == before
        assert (twins_root / "killed").exists()
        assert "killed" not in [item.name for item in Twin.all()]
        assert not (twins_root / "killed").exists()


def test_a_twin_that_nobody_uses_ends_by_itself(twins_root: Path) -> None:
    with twin_of(EXAMPLE, "lonely", lease_s=2) as twin:
        processes = processes_under(twin)
        until(lambda: twin.status()["lease_s"] < 1, 3)
        twin.renew()
        assert twin.status()["lease_s"] > 1
        until(lambda: not (twins_root / "lonely").exists(), 5)
        until(lambda: is_gone(processes), 5)


def test_two_twins_are_two_worlds(quiet: Twin, worn: Twin) -> None:
    twin = worn
    with broken(twin, Fault(manner=FaultManner.DARK, centres=("futian", "southern"))):
        assert Shell(twin).connects("gw-a1", *FUTIAN_TRADING) == "TimeoutError"
        assert Shell(quiet).connects("gw-a1", *FUTIAN_TRADING) == "connected"
    assert (quiet.folder / "id").read_bytes() != (twin.folder / "id").read_bytes()
    with pytest.raises(Refused, match="TWIN_EXISTS"):
        Twin.up(load_site(EXAMPLE), "worn")
    assert twin.status()["hosts"]["gw-a1"] == "up"


def test_a_site_of_42_gateways_3_carriers_and_3_rooms_comes_up_and_survives_a_carrier(tmp_path: Path) -> None:
    spec = SiteSpec(
        rooms=(
            RoomSpec(lines=(("red", "futian"), ("blue", "southern"))),
            RoomSpec(lines=(("blue", "futian"), ("green", "southern"))),
            RoomSpec(routing="static", lines=(("green", "futian"), ("red", "southern"))),
        ),
        carriers=("red", "blue", "green"),
        pairs=7,
    )
    with twin_of(write_site(tmp_path, spec), "big") as twin:
        until(lambda: len(logged_in(twin)) == 42, 15)
        with broken(twin, Fault(manner=FaultManner.DARK, carriers=("red",))):
            until(lambda: {item["line"] for item in logged_in(twin).values()} & {"w00-red-futian"} == set(), 15)
            assert len(logged_in(twin)) == 42
        assert twin.truth()["logouts"] == []


def test_a_twin_is_refused_to_an_ordinary_user() -> None:
    code = f"""
import os
from pathlib import Path
from orchestrator.loader.site import load_site
from orchestrator.twin import Twin
site = load_site(Path({str(EXAMPLE)!r}))
os.setgid(65534); os.setuid(65534)
assert Twin.current() is None
Twin.up(site)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "NOT_ROOT: expected root" in done.stderr


def test_missing_programs_are_refused_by_their_packages(tmp_path: Path) -> None:
    with pytest.raises(
        Refused, match=r"PACKAGE_MISSING: .*bird2, iproute2, openssh-client, openssh-server, util-linux;"
    ):
        ensure_possible(str(tmp_path))


def test_a_site_that_cannot_be_built_is_refused_and_leaves_nothing(tmp_path: Path, twins_root: Path) -> None:
    site = write_site(tmp_path, SiteSpec())
    text = (site / "topology.yml").read_text(encoding="utf-8")
    (site / "topology.yml").write_text(text.replace("198.18.0.0/16", "198.18.0.0/15"), encoding="utf-8")
    before = machine()
    with pytest.raises(Refused, match="TWIN_NETWORKS"):
        Twin.up(load_site(site), "never")
    assert machine() == before
    assert not (twins_root / "never").exists()

"""`drillctl support-bundle` over real sshd in a twin: what is taken, what is not and why; nothing is changed."""

import gzip
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from orchestrator.adapters.clock import SystemClock
from orchestrator.evidence.redact import digest, key_of, run_key
from orchestrator.journal import SqliteJournal
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import load_site
from orchestrator.model.drill import Mode
from orchestrator.model.support import FileKind, GatheredFile, SupportManifest
from orchestrator.planner import Request, make_plan
from orchestrator.twin import Twin
from orchestrator.wiring.places import Place
from orchestrator.wiring.runs import OpenRun, open_run
from tests.support.command import Said, drillctl
from tests.support.sites import ROOT, SiteSpec, write_site
from tests.support.twins import Shell, own_root, sabotaged, twin_of

pytestmark = pytest.mark.twin

SITE = SiteSpec(classes=("trading",))
ONE, TWO = "trading-0-a", "trading-0-b"
HOST, OTHER = "node0-trading-0", "node1-trading-0"
HOME = f"/opt/nqtrade/{ONE}"
KNOWN = "correct-horse-battery"


@dataclass(frozen=True)
class Bench:
    """A twin with two gateways on two hosts, and the verb as an operator has it."""

    site: Path
    twin: Twin
    shell: Shell

    def bundle(self, to: Path, *options: str) -> tuple[Said, Path]:
        """What it said, and where it unpacked what it made."""
        inside = [sys.executable, "-m", "orchestrator", "support-bundle", "--site", str(self.site), "--to", str(to)]
        words = ["twin", "exec", self.twin.name, "--", *inside, "--json", *options]
        said = drillctl(*words, state=to.parent, more={"GATEWAY_PASSWORD": KNOWN})
        return said, to

    def look(self, to: Path, *options: str) -> tuple[Said, SupportManifest, Path]:
        said, _ = self.bundle(to, *options)
        assert said.code in (0, 1), said.err
        archive = Path(said.document["bundle"])
        subprocess.run([sys.executable, "-m", "zipfile", "-e", str(archive), str(to / "out")], check=True)
        folder = to / "out" / archive.stem
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
        return said, SupportManifest.model_validate_json((folder / "MANIFEST.json").read_bytes()), folder

    def put(self, path: str, data: bytes) -> None:
        """As the gateway's own user."""
        code = f"open('{path}', 'wb').write(bytes.fromhex('{data.hex()}'))"
        self.shell.says(HOST, f'python3 -c "{code}"')


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    site = write_site(tmp_path_factory.mktemp("site"), SITE)
    profiles = site / "profiles.yml"  # on a twin the gateway's user may write beside its log
    profiles.write_text(profiles.read_text(encoding="utf-8").replace("/{id}/queue/", "/{id}/log/queue/"), "utf-8")
    with own_root(), twin_of(site, "support", 600) as twin:
        yield Bench(site, twin, Shell(twin))


@pytest.fixture
def queue(bench: Bench) -> Iterator[str]:
    """The folder of the gateway's data files; empty again afterwards."""
    folder = f"{HOME}/log/queue"
    bench.shell.says(HOST, f"mkdir -p {folder}")
    yield folder
    bench.shell.says(HOST, f"chmod -R u+rwx {folder}; rm -rf {folder}")


def files(manifest: SupportManifest, gateway: str = ONE) -> dict[str, GatheredFile]:
    return {item.path: item for item in manifest.files if item.gateway == gateway}


def test_every_gateway_is_there_with_configuration_log_state_and_version(bench: Bench, tmp_path: Path) -> None:
    said, manifest, folder = bench.look(tmp_path / "to", "--gateways", "all")
    assert said.code == 0, said.err
    assert [(item.id, item.number, item.looked) for item in manifest.gateways] == [
        (ONE, "Q700000", True),
        (TWO, "Q700001", True),
    ]
    for gateway in manifest.gateways:
        assert (gateway.version, len(gateway.processes)) == ("nqctl of a simulated host", 1)
        assert gateway.sessions == (("172.60.101.30:7043",) if gateway.id == ONE else ("172.50.101.30:7043",))
    found = files(manifest)
    assert [item.kind.value for item in found.values()] == ["configuration", "status", "log", "data"]
    assert found[f"{HOME}/log/queue/*"].missing == f"no folder {HOME}/log/queue"
    config, log = (
        (folder / found[f"{HOME}/{name}"].name).read_text() for name in ("etc/gateway.ini", "log/gateway.log")
    )
    assert "Server1 = 172.60.101.30:7043" in config
    assert "LogLevel=hmac:" in config
    assert log == bench.shell.says(HOST, f"cat {HOME}/log/gateway.log") + "\n"
    for host in manifest.hosts:
        assert host.facts is not None
        assert (host.facts.hostname, host.facts.timezone) == (host.id, "Asia/Shanghai")
        assert abs(host.facts.clock_offset_s) <= host.facts.clock_within_s + 0.05, "hosts of a twin have our own clock"
    assert manifest.simulated


def test_nothing_is_written_on_a_host(bench: Bench, tmp_path: Path) -> None:
    bench.shell.says(HOST, "touch ~/before")
    bench.look(tmp_path / "to", "--gateways", ONE)
    # What else a host has is the machine's, where others are at work.
    places = "/tmp /var/tmp /home /run /dev/shm /opt/nqtrade"  # noqa: S108 - where a host's users may write
    own = "! -path '/opt/nqtrade/*/run/*' ! -path '/opt/nqtrade/*/log/*'"  # where the gateway itself writes
    found = bench.shell.run(HOST, f"find {places} -xdev -newer ~/before {own} -print 2>/dev/null; rm ~/before").stdout
    assert found == ""
    assert bench.shell.says(HOST, "pgrep -f 'sys.stdin.buffer.rea[d]' || echo none") == "none"


def test_a_frozen_host_costs_its_own_deadline_and_the_others_nothing(bench: Bench, tmp_path: Path) -> None:
    with sabotaged(bench.twin, "freeze_host", "thaw_host", host=OTHER):
        said, manifest, _ = bench.look(tmp_path / "to", "--gateways", "all")
    assert said.code == 1
    well, frozen = manifest.hosts
    assert (well.id, well.could_not_look, frozen.id, frozen.facts) == (HOST, "", OTHER, None)
    assert frozen.could_not_look
    assert 1 < frozen.took_s < 15
    assert said.document["could_not_look"] == {OTHER: frozen.could_not_look}
    assert [item.looked for item in manifest.gateways] == [True, False]
    assert "could not look" in said.err


def test_an_sshd_that_is_gone_is_said(bench: Bench, tmp_path: Path) -> None:
    with sabotaged(bench.twin, "kill_sshd", "start_sshd", host=OTHER):
        said, manifest, _ = bench.look(tmp_path / "to", "--gateways", TWO)
    assert (said.code, manifest.hosts[0].facts, len(manifest.taken)) == (1, None, 0)
    assert "Unable to connect" in manifest.hosts[0].could_not_look


def test_a_host_whose_key_is_another_is_not_trusted(bench: Bench, tmp_path: Path) -> None:
    known = bench.twin.folder / "known_hosts"
    before = known.read_text()
    lines = [line.split() for line in before.splitlines()]
    try:
        known.write_text("".join(" ".join((line[0], *lines[i - 1][1:])) + "\n" for i, line in enumerate(lines)))
        said, manifest, _ = bench.look(tmp_path / "to", "--gateways", ONE)
    finally:
        known.write_text(before)
    assert (said.code, len(manifest.taken)) == (1, 0)
    assert "does not match" in manifest.hosts[0].could_not_look


def test_what_is_not_taken_is_named_with_its_reason(bench: Bench, queue: str, tmp_path: Path) -> None:
    bench.put(f"{queue}/locked", b"x")
    bench.put(f"{queue}/wallet.p12", b"x")
    bench.put(f"{queue}/notes.txt", b"-----BEGIN PRIVATE KEY-----\nMIIE\n")
    bench.put(f"{queue}/unwanted.bin", b"x")
    commands = f"chmod 0 {queue}/locked; mkfifo {queue}/pipe; ln -s /etc/passwd {queue}/out; ln -s nowhere {queue}/lost"
    bench.shell.says(HOST, f"{commands}; mkdir {queue}/folder")
    said, manifest, folder = bench.look(tmp_path / "to", "--gateways", ONE, "--leave-out", "*/unwanted.*")
    found = {path.removeprefix(f"{queue}/"): item for path, item in files(manifest).items() if path.startswith(queue)}
    assert {name: item.missing for name, item in found.items()} == {
        "locked": "Permission denied",
        "wallet.p12": "a key store is never taken",
        "notes.txt": "holds a private key, which is never taken",
        "unwanted.bin": "left out on request",
        "pipe": "not a plain file",
        "out": f"a link that leads out of {queue}",
        "lost": "No such file or directory",
    }
    assert said.code == 0
    assert not (folder / f"hosts/{HOST}{queue}").exists()


def test_a_folder_that_may_not_be_read_does_not_look_empty(bench: Bench, queue: str, tmp_path: Path) -> None:
    bench.shell.says(HOST, f"chmod 0 {queue}")
    _, manifest, _ = bench.look(tmp_path / "to", "--gateways", ONE)
    assert files(manifest)[f"{queue}/*"].missing == f"the folder {queue} cannot be read by this user"


def test_of_a_file_that_is_too_large_the_newest_whole_lines_are_taken(bench: Bench, queue: str, tmp_path: Path) -> None:
    bench.shell.says(HOST, f"seq -f 'line %011.0f' 20000 > {queue}/large")
    bench.shell.says(HOST, f"head -c 200000 /dev/zero > {queue}/zeros; cp {queue}/zeros {queue}/old.gz")
    _, manifest, folder = bench.look(tmp_path / "to", "--gateways", ONE, "--max-file", "100K")
    large, zeros, packed = (files(manifest)[f"{queue}/{name}"] for name in ("large", "zeros", "old.gz"))
    text = (folder / large.name).read_text()
    assert text.endswith("line 00000020000\n")
    assert set(map(len, text.splitlines())) == {16}
    assert (large.size, large.start) == (340000, 340000 - large.bytes)
    assert 100 * 1024 - 17 < large.bytes < 100 * 1024
    assert (zeros.bytes, zeros.start, zeros.redaction) == (102400, 200000 - 102400, "none, not a text")
    assert "of no use in part" in packed.missing


def test_a_host_gives_no_more_than_its_share_the_newest_first(bench: Bench, queue: str, tmp_path: Path) -> None:
    for age in range(4):
        path = f"{queue}/{age}"
        bench.shell.says(HOST, f"yes {age} | head -c 60000 > {path}; touch -d '{age} hours ago' {path}")
    _, manifest, _ = bench.look(tmp_path / "to", "--gateways", ONE, "--max-size", "128K")
    found = files(manifest)
    assert sum(item.bytes for item in manifest.taken) <= 128 << 10
    assert [bool(found[f"{queue}/{age}"].name) for age in range(4)] == [True, True, True, False]
    assert (found[f"{queue}/1"].start, found[f"{queue}/2"].is_truncated) == (0, True)
    assert found[f"{queue}/3"].missing == "the host's 131072 bytes are used up"


def test_only_what_changed_since_is_taken_but_the_gateways_own_log_always(
    bench: Bench, queue: str, tmp_path: Path
) -> None:
    bench.shell.says(HOST, f"touch {queue}/new; touch -d '3 hours ago' {queue}/old")
    _, manifest, _ = bench.look(tmp_path / "to", "--gateways", ONE, "--since", "2h")
    found = files(manifest)
    assert found[f"{queue}/new"].name
    assert found[f"{queue}/old"].missing == "last changed before the time asked for"
    assert found[f"{HOME}/log/gateway.log"].name


def test_secrets_do_not_leave_named_ones_the_host_known_ones_the_controller(
    bench: Bench, queue: str, tmp_path: Path
) -> None:
    bench.put(f"{queue}/a.txt", f"password=Tr0ub4dor user=gw\nsaid {KNOWN} aloud\n".encode())
    _, manifest, folder = bench.look(tmp_path / "to", "--gateways", ONE)
    item = files(manifest)[f"{queue}/a.txt"]
    text = (folder / item.name).read_text()
    assert text.startswith("password=hmac:")
    assert text.endswith(" user=gw\nsaid [masked] aloud\n")
    assert (item.replaced, item.masked) == (1, True)


def test_a_known_secret_where_no_mask_reaches_stops_it_and_nothing_is_left(
    bench: Bench, queue: str, tmp_path: Path
) -> None:
    bench.put(f"{queue}/b.gz", gzip.compress(f"said {KNOWN}\n".encode()))
    said, to = bench.bundle(tmp_path / "to", "--gateways", ONE)
    assert said.code == 3
    assert f"SECRET_FOUND: expected no known secret in what was gathered, found one in {HOST}:{queue}/b.gz" in said.err
    assert KNOWN not in said.err + said.out
    assert list(to.iterdir()) == []
    again, _, _ = bench.look(tmp_path / "to", "--gateways", ONE, "--leave-out", f"{queue}/b.gz")
    assert again.code == 0


def test_names_that_not_every_system_has_are_kept_apart(bench: Bench, queue: str, tmp_path: Path) -> None:
    for name in ("回报 1.dat", "回报_1.dat", "____1.dat"):
        bench.shell.says(HOST, f"echo '{name}' > '{queue}/{name}'")
    _, manifest, folder = bench.look(tmp_path / "to", "--gateways", ONE)
    for name in ("回报 1.dat", "回报_1.dat", "____1.dat"):
        assert (folder / files(manifest)[f"{queue}/{name}"].name).read_text() == f"{name}\n"


def test_a_run_names_its_gateways_and_lends_its_key(bench: Bench, tmp_path: Path) -> None:
    """The same digests as in the run's own pack."""
    run = _run(bench, tmp_path)
    said, manifest, folder = bench.look(tmp_path / "to", run.job.run)
    assert said.code == 0, said.err
    assert (manifest.run, [item.id for item in manifest.gateways]) == (run.job.run, [ONE])
    (config,) = [item for item in manifest.taken if item.kind is FileKind.CONFIGURATION]
    value = digest(key_of(run_key(run.job.folder), ONE), "RetryInterval", "3")
    assert f"RetryInterval = {value}\n" in (folder / config.name).read_text(encoding="utf-8")
    other, _, _ = bench.look(tmp_path / "other", "--gateways", ONE)
    assert other.document["sha256"] != said.document["sha256"]


def _run(bench: Bench, state: Path) -> OpenRun:
    """As an orchestrator that died at once would have left it."""
    site = load_site(bench.site)
    request = Request(Mode.REHEARSAL, date(2026, 11, 21), {"centre": "futian"}, None, ())
    plan = make_plan(site.topology, site.digest, load_drill(ROOT / "drills", "single-centre-failure"), request)
    journal = SqliteJournal(state / "state" / "journal.db", SystemClock())
    try:
        folder = state / "reports" / "20261121T093000-single-centre-failure-0000"
        run = open_run(journal, site, plan, folder, "wang", Place("no-such-twin", 1, owned=True))
    finally:
        journal.close()
    run_key(folder)
    return run


REAL = [
    ((), 2, "expected a RUN or --gateways, found neither"),
    (("--gateways", "nq-trade-9"), 2, "expected gateways of the site (nq-trade-1, "),
    (("--gateways", "nq-trade-1"), 3, "NOT_APPROVED"),
    (("--gateways", "nq-trade-1", "--by", "li"), 3, "found one of them; nothing was contacted"),
    (("--gateways", "nq-trade-1", "--reason", "login refused"), 3, "NOT_APPROVED"),
    (("--gateways", "nq-trade-1", "--by", "mallory", "--reason", "x"), 2, "expected a person of people.yml"),
    (("--gateways", "all", "--max-size", "1K"), 2, "expected at least 64.0 KB"),
    (("--gateways", "all", "--max-file", "lots"), 2, "expected a size as 500K, 20M or 1G, found 'lots'"),
    (("--gateways", "all", "--since", "tomorrow"), 2, "expected 90m, 12h, 3d or 2026-11-21T08:30"),
    (("--gateways", "all", "--since", "2999-01-01"), 2, "expected a time that is past"),
    (("no-such-run",), 3, "NO_RUN"),
]


@pytest.mark.parametrize(("options", "code", "said"), REAL)
def test_on_a_real_site_nobody_is_contacted_without_a_name_and_a_reason(
    options: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    """In a network namespace of its own: should it ever try, nothing leaves."""
    words = [sys.executable, "-m", "orchestrator", "support-bundle", "--to", str(tmp_path / "to"), *options]
    done = _sealed(words, tmp_path)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "to").exists()


def test_a_real_site_without_access_yml_is_not_contacted(tmp_path: Path) -> None:
    """tests/twin/test_real_site.py has one with it."""
    words = [sys.executable, "-m", "orchestrator", "support-bundle", "--to", str(tmp_path / "to"), "--json"]
    done = _sealed([*words, "--gateways", "nq-trade-1", "--by", "li", "--reason", "login refused"], tmp_path)
    assert (done.returncode, "REAL_SITE: " in done.stderr) == (3, True)
    assert not list((tmp_path / "to").glob("*"))


def _sealed(words: list[str], state: Path) -> subprocess.CompletedProcess[str]:
    environment = {"DRILLCTL_STATE": str(state / "state"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    command = ["unshare", "--net", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)

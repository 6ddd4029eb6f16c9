import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import DefinitionError
from orchestrator.model.topology import Service, ServiceManager, Topology
from orchestrator.twin.service_shim import install
from tests.sim.installed import SITE, World, play
from tests.sim.loopback import run, until

UNIT = "tdgw@T50010.service"
NOBODY = 65534


def test_only_the_host_s_own_gateways_are_installed(tmp_path: Path) -> None:
    owned = install(tmp_path, SITE, "gw-a3")
    assert sorted(file.name for file in (tmp_path / "etc/drillctl-twin").iterdir()) == [
        "gateway-nq-mc-1.json",
        "gateway-nq-md-1.json",
    ]
    assert owned == sorted(
        tmp_path / name
        for name in (
            "opt/nqmc/nq-mc-1/conf",
            "opt/nqmc/nq-mc-1/log",
            "opt/nqmc/nq-mc-1/run",
            "opt/nqmd/nq-md-1/conf",
            "opt/nqmd/nq-md-1/log",
            "opt/nqmd/nq-md-1/run",
        )
    )
    assert all(path.is_dir() for path in owned)


def test_start_and_stop_are_idempotent_and_a_restart_is_a_new_process(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.stop("nq-trade-1")
        await world.start("nq-trade-1")
        first = world.pid("nq-trade-1")
        await world.start("nq-trade-1")
        assert world.pids() == [first]
        await world.stop("nq-trade-1")
        await world.start("nq-trade-1")
        assert world.pids() == [world.pid("nq-trade-1")] != [first]

    play(story, tmp_path)


def test_a_start_holds_on_to_nothing_of_its_caller(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        folder = Path(f"/proc/{world.pid('nq-trade-1')}")
        assert {str((folder / "fd" / name).readlink()) for name in "012"} == {"/dev/null"}
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        parent, group, session, terminal = fields[1:5]
        assert parent != str(os.getpid())
        assert group == session != str(os.getsid(0))
        assert terminal == "0"

    play(story, tmp_path)


def test_any_other_argument_starts_and_stops_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        for words in (["start", "W999999"], ["restart", "W100200"], ["start", "W100200", "now"], []):
            done = await run(tmp_path / "opt/nqtrade/bin/nqctl", *words)
            assert (done.returncode, world.pids()) == (2, [])
            assert "no gateway of this host" in done.stderr

    play(story, tmp_path)


def test_a_gateway_that_does_not_end_is_killed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        os.kill(world.pid("nq-trade-1"), signal.SIGSTOP)
        await world.stop("nq-trade-1")
        assert world.pids() == []

    play(story, tmp_path)


def test_stop_spares_a_stranger_that_got_the_old_process_id(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        await world.stop("nq-trade-1")
        file = world.path("nq-trade-1", "status").parent / "gateway-nq-trade-1.pid"
        stranger = await asyncio.create_subprocess_exec("/bin/sleep", "60")
        file.write_text(f"{stranger.pid}\n")
        await world.stop("nq-trade-1")
        assert stranger.returncode is None
        stranger.kill()
        assert await stranger.wait() == -signal.SIGKILL  # by us: it was still there

    play(story, tmp_path)


def test_systemctl_knows_the_units_and_answers_as_systemd_does(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        systemctl = tmp_path / "usr/bin/systemctl"

        async def says(*words: str) -> tuple[int, str]:
            done = await run(systemctl, *words)
            return done.returncode, done.stdout.strip()

        assert await says("is-active", UNIT) == (3, "inactive")
        assert await says("start", "tdgw@T50010") == (0, "")
        pid = world.pid("sse-td-1")
        assert await says("is-active", UNIT) == (0, "active")
        assert await says("--quiet", "is-active", UNIT) == (0, "")
        assert await says("show", "-p", "MainPID,ActiveState", UNIT) == (0, f"MainPID={pid}\nActiveState=active")
        assert await says("show", "--property=MainPID", "--value", UNIT) == (0, str(pid))
        code, text = await says("--no-pager", "status", UNIT)
        assert (code, f"Main PID: {pid}" in text) == (0, True)
        assert await says("restart", UNIT) == (0, "")
        assert world.pids() == [world.pid("sse-td-1")] != [pid]
        assert await says("stop", UNIT) == (0, "")
        assert await says("show", "-p", "MainPID", UNIT) == (0, "MainPID=0")
        assert (await says("status", UNIT))[0] == 3
        assert world.pids() == []

    play(story, tmp_path)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["enable", UNIT], 2),
        (["start"], 2),
        (["--now", "stop", UNIT], 2),
        (["start", "sshd"], 5),
        (["is-active", "x"], 3),
    ],
)
def test_systemctl_fails_for_anything_else(tmp_path: Path, words: list[str], code: int) -> None:
    async def story(world: World) -> None:
        done = await run(tmp_path / "usr/bin/systemctl", *words)
        assert (done.returncode, world.pids()) == (code, [])

    play(story, tmp_path)


def _with_start(command: str) -> Topology:
    profile = SITE.profiles["nq-trading"]
    service = Service(manager=ServiceManager.COMMAND, start=(command,), stop=(command, "stop"), process="x")
    return SITE.model_copy(
        update={"profiles": SITE.profiles | {"nq-trading": profile.model_copy(update={"service": service})}}
    )


@pytest.mark.parametrize(
    ("command", "reason"),
    [("nqctl", "an absolute path"), ("/usr/bin/sudo", "of the system"), ("/bin/sh", "of the system")],
)
def test_a_command_that_is_not_the_gateway_software_s_is_a_wrong_definition(
    tmp_path: Path, command: str, reason: str
) -> None:
    with pytest.raises(DefinitionError, match=reason):
        install(tmp_path, _with_start(command), "gw-a1")


def test_nothing_is_written_into_the_machine_s_own_folders(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "opt").symlink_to(elsewhere)
    with pytest.raises(ValueError, match="private root"):
        install(root, SITE, "gw-a1")
    assert list(elsewhere.iterdir()) == []
    with pytest.raises(ValueError, match="private root"):
        install(Path("/"), SITE, "gw-a1")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that an unprivileged user may enter; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="drillctl-sim-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
@pytest.mark.parametrize("caller", [NOBODY, 0])
def test_a_gateway_runs_as_the_service_user_whoever_starts_it(open_folder: Path, caller: int) -> None:
    async def story(world: World) -> None:
        for top in world.owned:
            for path in (top, *top.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        for name in ("nq-trade-1", "sse-td-1"):
            for verb in ("start", "stop"):
                words = world.command(SITE.gateway[name], verb)
                done = await run(*words, user=caller)
                assert (done.returncode, done.stderr) == (0, "")
                if verb == "start":
                    await world.logged_in(name, SITE.gateway[name].servers[0])
                    assert world.owner(name) == NOBODY
            assert world.pids() == []
        await until(lambda: len(world.exchange.truth()["logouts"]) == 2, "both logged out")

    play(story, open_folder)

"""Start and stop of simulated gateways, behind the commands and units that the site's profiles name.

Each call is a process of its own, made by the host's nursery for whoever ran a shim: a command shim means `command`,
the one in place of systemctl `systemctl`; both get the root that the host is installed in (normally empty) and the
arguments. Everything works as the unprivileged service user: what is remembered stands beside the gateway's status
file.
"""

# ruff: noqa: T201 (stdout and stderr are what these commands answer with)
import argparse
import fcntl
import os
import select
import signal
import sys
from pathlib import Path

from orchestrator.twin.programs import process
from orchestrator.twin.programs.gateway import main as run_gateway
from orchestrator.twin.programs.gateway_files import FOLDER, Settings

PROGRAM = "/usr/lib/drillctl-twin/gateway.py"  # as it stands in a gateway's command line
STOP_WAIT_S = 5
KILL_WAIT_S = 2
UNKNOWN_UNIT = 5
INACTIVE = 3


def command(root: str, argv: list[str]) -> int:
    """Run one of the site's own commands: exactly as a profile writes it, or not at all."""
    gateways = _installed(root)
    starts = [item for item in gateways if item["start"] == argv]
    stops = [item for item in gateways if item["stop"] == argv]
    if any(item["version"] == argv for item in gateways):
        print(f"{Path(argv[0]).name} of a simulated host")
        return 0
    if not starts and not stops:
        print(f"{' '.join(argv)}: no gateway of this host is started or stopped like that", file=sys.stderr)
        return 2
    return max([start(item) for item in starts] + [stop(item) for item in stops])


def systemctl(root: str, argv: list[str]) -> int:
    """The few verbs of systemctl that a gateway's unit needs; anything else is an error."""
    parser = argparse.ArgumentParser(prog="systemctl", allow_abbrev=False)
    for option in ("--quiet", "--value", "--no-pager"):
        parser.add_argument(option, *(["-q"] if option == "--quiet" else []), action="store_true")
    parser.add_argument("-p", "--property", action="append", default=[])
    parser.add_argument("verb", choices=("start", "stop", "restart", "is-active", "show", "status"))
    parser.add_argument("units", nargs="+")
    wanted = parser.parse_args(argv[1:])
    units = {item["unit"]: item for item in _installed(root) if item["unit"]}
    codes = []
    for name in wanted.units:
        unit = units.get(name) or units.get(f"{name}.service")
        codes.append(_unknown_unit(name, wanted.verb) if unit is None else _VERBS[wanted.verb](unit, wanted))
    return max(codes)


def start(gateway: Settings) -> int:
    """Start it unless it runs. Back when its program runs (or exits again, which is its own affair)."""
    folder = os.open(gateway.pid_file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        return 0 if running(gateway) else _launch(gateway)
    finally:
        os.close(folder)


def stop(gateway: Settings) -> int:
    """Ask it to end, wait, then kill it. Nothing to do when it does not run."""
    pid = running(gateway)
    if pid is None:
        return 0
    handle = os.pidfd_open(pid)
    try:
        for number, wait_s in ((signal.SIGTERM, STOP_WAIT_S), (signal.SIGKILL, KILL_WAIT_S)):
            if running(gateway) != pid or _ended(handle, number, wait_s):
                return 0
    finally:
        os.close(handle)
    print(f"{gateway['id']}: process {pid} does not end", file=sys.stderr)
    return 1


def running(gateway: Settings) -> int | None:
    """The process that the process id file names, if it still is this gateway."""
    try:
        pid = int(gateway.pid_file.read_text(encoding="ascii"))
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if gateway.file.encode() in arguments else None


def _installed(root: str) -> list[Settings]:
    return [Settings(str(file)) for file in sorted(Path(root + FOLDER).glob("gateway-*.json"))]


def _ended(handle: int, number: int, wait_s: float) -> bool:
    """Send the signal; whether the process ended in time."""
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return True
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    return bool(waiting.poll(wait_s * 1000))


def _launch(gateway: Settings) -> int:
    """The gateway is nobody's child as soon as this process has answered, and keeps nothing of the caller's session."""
    reader, writer = os.pipe()  # end of file means that the gateway's program runs
    if os.fork() == 0:
        os.setsid()
        _become(gateway, writer)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        trouble = pipe.read()
    if trouble:
        print(f"{gateway['id']}: {trouble}", file=sys.stderr)
    return 1 if trouble else 0


def _become(gateway: Settings, writer: int) -> None:
    instance = os.urandom(8).hex()
    try:
        process.name([gateway["process"], PROGRAM, gateway.file, instance])
        _drop_privileges(gateway.pid_file.parent)
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        gateway.pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
    except (OSError, ValueError) as error:
        os.write(writer, str(error).encode())
        os._exit(1)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os._exit(run_gateway([gateway.file, instance]))


def _drop_privileges(folder: Path) -> None:
    """Root's start gives a process of the service user, as a unit's User= does."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        process.become(owner.st_uid, owner.st_gid)


def _unknown_unit(name: str, verb: str) -> int:
    if verb == "is-active":
        print("inactive")
        return INACTIVE
    print(f"Unit {name} could not be found.", file=sys.stderr)
    return UNKNOWN_UNIT


def _restart(unit: Settings, wanted: argparse.Namespace) -> int:
    return _stop(unit, wanted) or _start(unit, wanted)


def _start(unit: Settings, _wanted: argparse.Namespace) -> int:
    return start(unit)


def _stop(unit: Settings, _wanted: argparse.Namespace) -> int:
    return stop(unit)


def _is_active(unit: Settings, wanted: argparse.Namespace) -> int:
    active = running(unit) is not None
    if not wanted.quiet:
        print("active" if active else "inactive")
    return 0 if active else INACTIVE


def _show(unit: Settings, wanted: argparse.Namespace) -> int:
    pid = running(unit)
    facts = {"MainPID": str(pid or 0), "ActiveState": "active" if pid else "inactive", "Id": unit["unit"]}
    names = [name for item in wanted.property for name in item.split(",")] or list(facts)
    for name in names:
        if name in facts:  # systemd passes over properties that it does not know, too
            print(facts[name] if wanted.value else f"{name}={facts[name]}")
    return 0


def _status(unit: Settings, _wanted: argparse.Namespace) -> int:
    pid = running(unit)
    print(f"{unit['unit']} - {unit['id']}")
    print(f"     Active: {'active (running)' if pid else 'inactive (dead)'}")
    if pid:
        print(f"   Main PID: {pid}")
    return 0 if pid else INACTIVE


_VERBS = {
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "is-active": _is_active,
    "show": _show,
    "status": _status,
}

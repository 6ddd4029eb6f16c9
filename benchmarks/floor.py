"""The floor: parallel `ssh` and nothing behind it, one connection per host, all of a wave at once.

The shell command of floor.sh proves what our own program proves. The same command puts every gateway back after each
way. `program` sends our own on-host program instead, and tells what that costs apart from the engine.
"""

import re
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.ground import LONGEST_S, Ground, Move, Taken, need, taken
from orchestrator.adapters.ssh import SshSettings
from playbooks import onhost_program

_SHELL = Path(__file__).with_name("floor.sh")
_NEW = ("-o", "ControlMaster=no", "-o", "ControlPath=none")  # a connection of its own, whatever is open
_LOOK = "exec sh -s"
# What a way may leave behind: anything new in the home, the temporary folders, or among the gateway's files.
_FILES = "find ~ /tmp /var/tmp {folders} ! -type d -printf '%p %u:%g %m\\n' 2>/dev/null | sort\n"
# A way that was ended in the middle goes on on the hosts: it must not move a gateway that was put back. What it leaves
# lying there goes; what is not known here shows afterwards.
_REST = """\
looks=900
while pgrep -f -- {pattern} >/dev/null; do
    looks=$((looks - 1))
    [ "$looks" -gt 0 ] || exit 1
    sleep 0.1
done
rm -rf ~/.ansible /tmp/ansible_* /tmp/pyinfra-*
"""


@dataclass(frozen=True)
class _Said:
    status: int
    out: bytes
    wrong: str


# -- all hosts of a wave at once ----------------------------------------------------------------------


def _send(
    ground: Ground,
    options: Sequence[str],
    wave: Sequence[Move],
    command: Callable[[Move], str],
    give: Mapping[str, bytes],
) -> dict[str, _Said]:
    """`give`: what each gateway's command reads. All begin before any is waited for."""
    with tempfile.TemporaryDirectory(dir=ground.scratch) as folder:
        begun = [(move, *_begin(ground, Path(folder), options, move, command(move), give)) for move in wave]
        deadline = time.monotonic() + LONGEST_S
        found = {}
        for move, process, out, wrong in begun:
            status = process.wait(max(deadline - time.monotonic(), 0.1))
            found[move.gateway] = _Said(status, _read(out), _read(wrong).decode(errors="replace").strip())
        return found


def _begin(
    ground: Ground, folder: Path, options: Sequence[str], move: Move, command: str, give: Mapping[str, bytes]
) -> tuple["subprocess.Popen[bytes]", IO[bytes], IO[bytes]]:
    """Its output goes to files: a connection that is kept for later would hold on to a pipe."""
    program = folder / f"{move.gateway}.in"
    program.write_bytes(give.get(move.gateway, b""))
    out, wrong = ((folder / f"{move.gateway}.{name}").open("w+b") for name in ("out", "err"))
    words = ["ssh", *options, *ground.targets[move.host].destination, command]
    with program.open("rb") as text:
        return subprocess.Popen(words, stdin=text, stdout=out, stderr=wrong), out, wrong


def _read(file: IO[bytes]) -> bytes:
    with file:
        file.seek(0)
        return file.read()


def _every(
    ground: Ground, ssh: SshSettings, command: str, more: Sequence[str] = (), give: Mapping[str, bytes] | None = None
) -> dict[str, _Said]:
    """Wave after wave; every host must have done it."""
    found: dict[str, _Said] = {}
    for wave in ground.waves:
        said = _send(ground, [*more, *ssh.options()], wave, lambda _: command, give or {})
        bad = {name: item.wrong[-300:] for name, item in said.items() if item.status}
        need(not bad, f"every host to have done it, found {bad}")
        found |= said
    return found


# -- the shell command --------------------------------------------------------------------------------


def shell_command(move: Move, endpoints: Sequence[str], *, strict: bool = True) -> bytes:
    """What a host's `sh` is to read. Nothing of it stands in a command line, where it would be found as a process.

    `strict`: a gateway that does not run is refused.
    """
    spec = move.spec
    config, service = spec["config"], spec["service"]
    need(config["format"] == "ini" and service["manager"] == "command", "the sample trading gateway")
    status, log = spec["status"], spec["log"]
    values = {
        "PATTERN": _extended(service["process"]) + "( |$)",
        "START": " ".join(service["start"]),
        "STOP": " ".join(service["stop"]),
        "CONFIG": config["path"],
        "EDIT": _edit(config["key"], endpoints),
        "STATUS": status["path"],
        "LOGGED_IN": f"{status['logged_in_key']}={status['logged_in_value']}",
        "LOG": log["path"],
        "LOGGED_OUT": re.sub(r"\{endpoint\}", "", log["logged_out"]),
        "ENDPOINTS": "".join(f" {_as_kernel_says(item)} " for item in endpoints),
        "STRICT": "yes" if strict else "",
    }
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    return head.encode() + _SHELL.read_bytes()


def _extended(text: str) -> str:
    """As an extended regular expression that matches exactly this."""
    return re.sub(r"([][().*+?{}|^$\\])", r"\\\1", text)


def _edit(key: str, endpoints: Sequence[str]) -> str:
    """For sed: the first entry becomes the whole list, the others go."""
    name = key.replace("{n}", "")
    lines = [f"{name}{number} = {endpoint}" for number, endpoint in enumerate(endpoints, 1)]
    return f"/^{name}1 *=/c\\\n" + "\\\n".join(lines) + f"\n/^{name}[0-9][0-9]* *=/d"


def _as_kernel_says(endpoint: str) -> str:
    """`address:port` as in /proc/net/tcp of a little-endian machine."""
    address, _, port = endpoint.rpartition(":")
    return f"{socket.inet_aton(address)[::-1].hex().upper()}:{int(port):04X}"


def floor(ground: Ground, *, armed: bool) -> Taken:
    """The shell command on every host. `armed`: over connections that are open before the clock starts."""
    ssh = ground.ssh("floor")
    give = {move.gateway: shell_command(move, move.after) for move in ground.moves}
    try:
        if armed:
            _every(ground, ssh, "true")
        began = time.time()
        _every(ground, ssh, _LOOK, () if armed else _NEW, give)
        return taken(ground, began, time.time())
    finally:
        ssh.close(ground.site)


# -- our program --------------------------------------------------------------------------------------


def program(ground: Ground, *, armed: bool) -> Taken:
    """Our own on-host program by plain `ssh`: no engine, journal or interlocks behind it."""
    ssh, run = ground.ssh("program"), f"program-{time.time_ns()}"
    try:
        _ask(ground, ssh, run, "preflight", ())
        state = _ask(ground, ssh, run, "state", ())
        began = time.time()
        _ask(ground, ssh, run, "repoint", () if armed else _NEW, state)
        result = taken(ground, began, time.time())
        _ask(ground, ssh, run, "cleanup", ())
        return result
    finally:
        ssh.close(ground.site)


def _ask(
    ground: Ground,
    ssh: SshSettings,
    run: str,
    op: str,
    more: Sequence[str],
    state: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, dict[str, Any]]:
    requests = {move.gateway: _request(move, run, op, (state or {}).get(move.gateway)) for move in ground.moves}
    give = {name: onhost_program.program("gateway", {"requests": [item]}) for name, item in requests.items()}
    said = _every(ground, ssh, "exec /usr/bin/python3 -I -S -", more, give)
    found = {}
    for name, item in said.items():
        answer = onhost_program.answer(item.out.decode())
        result = answer["results"][0] if answer else {"ok": False, "message": item.wrong}
        need(bool(result["ok"]), f"{name} to have done it, found {result['message']}")
        found[name] = result
    return found


def _request(move: Move, run: str, op: str, state: Mapping[str, Any] | None) -> dict[str, Any]:
    now = time.time()
    request = {
        "op": op,
        "run": run,
        "token": 1,
        "sequence": int(now * 1e6),
        "deadline_s": 60,
        "deadline_at": now + 60,
        "gateway": move.spec,
    }
    if state is not None:
        request |= {
            "endpoints": list(move.after),
            "expected_sha256": state["sha256_before"],
            "rollback": True,
            "attempt_of": {"run": run, "step": op, "attempt": 1},
        }
    return request


# -- as it was ----------------------------------------------------------------------------------------


@contextmanager
def put_back(ground: Ground) -> Iterator[None]:
    """Afterwards everything is as before: lists byte for byte, owners and modes, log-ins, and no file that is new."""
    ssh = ground.ssh("keeping")
    try:
        files, lists = _files(ground, ssh), _lists(ground, ssh)
        ssh.close(ground.site)  # nobody measures over connections of ours
        try:
            yield
        finally:
            _put_back(ground, ssh)
        need(_lists(ground, ssh) == lists, "every list byte for byte as before")
        new = {name: now ^ files[name] for name, now in _files(ground, ssh).items() if now != files[name]}
        need(not new, f"the hosts' files as before, found {new}")
    finally:
        ssh.close(ground.site)


def _files(ground: Ground, ssh: SshSettings) -> dict[str, set[str]]:
    give = {}
    for move in ground.moves:
        folders = {shlex.quote(str(Path(move.spec[name]["path"]).parent)) for name in ("config", "status", "log")}
        give[move.gateway] = _FILES.format(folders=" ".join(sorted(folders))).encode()
    return {name: set(item.out.decode().splitlines()) for name, item in _every(ground, ssh, _LOOK, (), give).items()}


def _lists(ground: Ground, ssh: SshSettings) -> dict[str, bytes]:
    give = {move.gateway: f"cat {shlex.quote(move.spec['config']['path'])}\n".encode() for move in ground.moves}
    return {name: item.out for name, item in _every(ground, ssh, _LOOK, (), give).items()}


def _put_back(ground: Ground, ssh: SshSettings) -> None:
    ssh.control_dir.mkdir(mode=0o700, exist_ok=True)
    rest = {}
    for move in ground.moves:
        service = move.spec["service"]
        rest[move.gateway] = _REST.format(pattern=_at_work(service["start"][0], service["stop"][0])).encode()
    _every(ground, ssh, _LOOK, (), rest)
    give = {move.gateway: shell_command(move, move.before, strict=False) for move in ground.moves}
    _every(ground, ssh, _LOOK, (), give)
    ground.until_logged_in()


def _at_work(*programs: str) -> str:
    """For pgrep: what a way that was ended may still do on a host."""
    return shlex.quote("|".join(["ansible", "until grep", *sorted(map(_extended, set(programs)))]))

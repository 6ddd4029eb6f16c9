"""Simulated hosts: each is a process tree of its own, in namespaces of its own, under a real sshd.

Process 1 of a host starts sshd, reaps what gateways leave behind, and starts sshd again when it is told to.
"""

import json
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.twin.birdconf import Bird
from orchestrator.twin.keys import KeyPair
from orchestrator.twin.mounts import make_private, switch_root
from orchestrator.twin.network import run_bird
from orchestrator.twin.programs import nursery
from orchestrator.twin.programs_needed import find_program
from orchestrator.twin.rootfs import add_user, make_root, mount_private, set_identity

START_SSHD = signal.SIGUSR1  # tells process 1 of a host to start sshd unless it runs
_OWN_NAMESPACES = os.CLONE_NEWNS | os.CLONE_NEWPID | os.CLONE_NEWUTS | os.CLONE_NEWIPC
# A shell takes a tenth of the memory of a Python that waits. The sleep is there to be waited for: without any
# child `wait` returns at once. A dead sshd has no command line any more, even before it is reaped.
_INIT = """\
start() {
    line=
    { read -r line < /proc/$pid/cmdline; } 2> /dev/null
    case $line in *sshd*) ;; *) "$sshd" -D -e & pid=$! ;; esac
}
sshd=$1 pid=none
trap start USR1
start
sleep infinity &
while :; do wait; done
"""
_SSHD_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey /etc/ssh/twin/host_key
AuthorizedKeysFile /etc/ssh/twin/authorized_keys
AllowUsers {users}
PermitRootLogin prohibit-password
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
MaxStartups 200
MaxSessions 200
PrintMotd no
PrintLastLog no
PidFile none
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class HostSpec:
    """A gateway host or CE router of the twin. `users` may log in; the first owns the gateways."""

    name: str
    space: str
    address: str
    port: int
    users: tuple[str, ...]
    timezone: str
    key: KeyPair
    authorized: str
    bird: Bird | None
    furnish: Callable[[Path], list[Path]]  # puts the host's software under its root; what the first user owns


@dataclass(frozen=True)
class StartingHost:
    """A host whose processes are being made; `report` tells its process id, or what went wrong."""

    name: str
    child: int
    report: int


def begin_host(spec: HostSpec, network: int, folder: Path) -> StartingHost:
    """Start making a host in its network namespace. Hosts begun together are made side by side.

    `folder` is an empty folder of the machine over which the host mounts its memory, for itself only.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _never_return(lambda: _split(spec, network, folder, writer), writer)
    os.close(writer)
    return StartingHost(spec.name, child, reader)


def finish_host(starting: StartingHost) -> int:
    """Wait until its process 1 runs, which starts sshd; returns it. OSError says what failed on which host."""
    os.waitpid(starting.child, 0)
    with os.fdopen(starting.report, encoding="utf-8") as report:
        told = [json.loads(line) for line in report]
    failure = next((item["error"] for item in told if "error" in item), None)
    pid = next((item["pid"] for item in told if "pid" in item), None)
    if failure or pid is None:
        raise OSError(f"host {starting.name} could not be made: {failure or 'its first process ended'}")
    return int(pid)


def _never_return(work: Callable[[], None], writer: int) -> None:
    """A forked child ends here, whatever happens: it must not go on as a second daemon."""
    try:
        work()
    except BaseException as error:  # noqa: BLE001 (told to the parent, which raises it)
        os.write(writer, (json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n").encode())
    finally:
        os._exit(0)


def _split(spec: HostSpec, network: int, folder: Path, writer: int) -> None:
    """A process id namespace holds children only: so one more process, whose id is reported."""
    os.unshare(_OWN_NAMESPACES)
    pid = os.fork()
    if pid == 0:
        _never_return(lambda: _become(spec, network, folder), writer)
    os.write(writer, (json.dumps({"pid": pid}) + "\n").encode())


def _become(spec: HostSpec, network: int, folder: Path) -> None:
    """Process 1 of the host. The report closes by itself when the shell takes over."""
    os.setns(network, os.CLONE_NEWNET)
    os.setsid()
    make_private()
    root = make_root(folder)
    _configure(spec, root)
    mount_private(root)
    switch_root(root)
    socket.sethostname(spec.name)
    nursery.begin("")
    log = os.open("/var/log/twin.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if spec.bird:
        run_bird(Path("/etc/bird/bird.conf"), Path("/run/bird/bird.ctl"), log)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.umask(0o022)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and programs inherit that
    words = ["init", "-c", _INIT, "init", find_program("sshd")]
    os.execve("/bin/sh", words, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})  # noqa: S606 (the shell is the program)


def _configure(spec: HostSpec, root: Path) -> None:
    owner, *_ = [add_user(root, user) for user in spec.users]
    set_identity(root, spec.name, spec.address, spec.timezone)
    ssh = root / "etc/ssh/twin"
    ssh.mkdir(parents=True)
    (ssh / "host_key").write_bytes(spec.key.private)
    (ssh / "host_key").chmod(0o600)
    (ssh / "authorized_keys").write_text(spec.authorized + "\n")
    config = _SSHD_CONFIG.format(port=spec.port, address=spec.address, users=" ".join(spec.users))
    (root / "etc/ssh/sshd_config").write_text(config)
    if spec.bird:
        (root / "etc/bird").mkdir(exist_ok=True)
        (root / "etc/bird/bird.conf").write_text(spec.bird.config)
    for path in spec.furnish(root):
        _give(path, *owner)


def _give(path: Path, uid: int, gid: int) -> None:
    os.chown(path, uid, gid)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(folder) / name, uid, gid, follow_symlinks=False)

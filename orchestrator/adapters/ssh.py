"""How hosts are reached over SSH: one settings object for Ansible, fabric and the checks."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.adapters.ssh_config import bastion_alias, ssh_config
from orchestrator.errors import Refused
from orchestrator.loader.access import resolved
from orchestrator.loader.site import LoadedSite, inventory_hosts
from orchestrator.model.access import Access, Become, BecomeMethod, HostAccess

_CLOSE_S = 5  # our choice: closing a master is local; a hung one must not hold up the end of a run
_CONFIG = "config"
_DOORS = 3  # our choice: what opening the way through all bastions may take, in times of one connect
_TELLING = re.compile(
    r"host key is known for|has changed and you|Permission denied|timed out|refused|prohibited|not contacted|No route"
)
_NO_BECOME = Become(method=BecomeMethod.NONE)


@dataclass(frozen=True)
class SshTarget:
    """Where one host or router of hosts.yml answers, and as whom our programs run there after log-in.

    `alias`: its name in the settings' ssh configuration, where they have one.
    """

    name: str
    address: str
    port: int = 22
    user: str | None = None
    interpreter: str = "python3"
    become: Become = _NO_BECOME
    alias: str | None = None

    @property
    def destination(self) -> list[str]:
        """The last arguments of the `ssh` command before what it is to run."""
        if self.alias:
            return [self.alias]
        user = ["-l", self.user] if self.user else []
        return ["-p", str(self.port), *user, self.address]

    def command(self, line: str) -> str:
        """The shell command that runs `line` there as whoever runs everything of ours. It keeps standard input."""
        match self.become.method:
            case BecomeMethod.NONE:
                return line
            case BecomeMethod.SUDO:
                return f"exec sudo -n -H -u {self.become.user} /bin/sh -c {shlex.quote(line)}"
            case BecomeMethod.SU:
                return f"exec su -s /bin/sh {self.become.user} -c {shlex.quote(line)}"


@dataclass(frozen=True)
class SshSettings:
    """Everything that the `ssh` command, Ansible and fabric need beyond hosts.yml.

    `control_dir` holds the run's own ControlMaster sockets (a short path: sockets are limited to 104
    characters); it belongs to one run and is closed with it. `access`: of a real site, with absolute paths; None: a
    twin's.
    """

    control_dir: Path
    private_key: Path | None = None
    known_hosts: Path | None = None
    connect_timeout_s: int = 3  # our choice, measured: a dead host must not hold up the others
    access: Access | None = None

    def options(self) -> list[str]:
        """Options of the `ssh` command. A warm master to a frozen host would hang without ServerAlive."""
        if self.access:
            return ["-F", str(self.control_dir / _CONFIG)]
        chosen = [
            "ControlMaster=auto",
            "ControlPersist=600",
            f"ControlPath={self.control_dir}/%C",
            f"ConnectTimeout={self.connect_timeout_s}",
            "ServerAliveInterval=1",
            "ServerAliveCountMax=3",
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "KexAlgorithms=curve25519-sha256,curve25519-sha256@libssh.org",
        ]
        if self.private_key:
            chosen += [f"IdentityFile={self.private_key}", "IdentitiesOnly=yes"]
        if self.known_hosts:
            chosen += [f"UserKnownHostsFile={self.known_hosts}", "GlobalKnownHostsFile=/dev/null"]
        return [part for option in chosen for part in ("-o", option)]

    def through(self, target: SshTarget) -> list[str] | None:
        """The command whose standard input and output are a connection to the host; None: it is reached directly."""
        if not self.access or not self.access.bastions:
            return None
        last = bastion_alias(len(self.access.bastions) - 1)
        return ["ssh", *self.options(), "-W", f"{target.address}:{target.port}", last]

    def close(self, site: LoadedSite) -> None:
        """End every connection that is kept for these settings, and leave nothing of them."""
        close_masters(self, ssh_targets(site, self.access).values())
        shutil.rmtree(self.control_dir, ignore_errors=True)


def ssh_targets(site: LoadedSite, access: Access | None = None) -> dict[str, SshTarget]:
    """Every scriptable gateway host and CE router of the topology as hosts.yml says to reach it, or `access` where it
    says otherwise. Nothing else is ever reached.
    """
    known = inventory_hosts(site.folder / "hosts.yml")
    names = [item.id for item in site.topology.scriptable_hosts] + [item.id for item in site.topology.routers]
    targets = {name: _target(name, known[name][1]) for name in names}
    return {name: _otherwise(target, access) for name, target in targets.items()} if access else targets


def _target(name: str, variables: dict[str, Any]) -> SshTarget:
    user = variables.get("ansible_user")
    return SshTarget(
        name=name,
        address=str(variables.get("ansible_host", name)),
        port=int(variables.get("ansible_port", 22)),
        user=None if user is None else str(user),
        interpreter=str(variables.get("ansible_python_interpreter", "python3")),
    )


def _otherwise(target: SshTarget, access: Access) -> SshTarget:
    own = access.hosts.get(target.name, HostAccess())
    return replace(
        target,
        address=str(own.address or target.address),
        port=own.port or target.port,
        user=own.user or access.user or target.user,
        interpreter=own.interpreter or target.interpreter,
        become=own.become or access.become,
        alias=target.name,
    )


def settings_on_site(site: LoadedSite, home: Path, control_dir: Path) -> SshSettings:
    """How this site's real hosts are reached. `home` is its own folder, `control_dir` is made where it is not there.

    Refused: REAL_SITE, NO_ACCESS.
    """
    if site.access is None:
        raise Refused(
            "REAL_SITE",
            f"expected {home / 'access.yml'}, which says how the hosts of this site are reached, found none; nothing "
            "was contacted. Write one (docs/how-to/first-real-site.md), or use a twin: `drillctl twin up NAME`",
        )
    access = resolved(site.access, home)
    _refuse_unusable(access)
    _make_private(control_dir)
    settings = SshSettings(
        control_dir, Path(access.identity_file), Path(access.known_hosts), access.connect_timeout_s, access
    )
    hosts = {item.name: (item.address, item.port, item.user) for item in ssh_targets(site, access).values()}
    path = control_dir / _CONFIG
    path.touch(mode=0o600)
    path.write_text(ssh_config(access, hosts, str(control_dir)), encoding="utf-8")
    return settings


def _refuse_unusable(access: Access) -> None:
    keys = {access.identity_file, *(item.identity_file for item in access.bastions if item.identity_file)}
    for name in sorted(keys):
        try:
            mode = stat.S_IMODE(Path(name).stat().st_mode)
        except OSError as error:
            raise _no_access(f"a private key {name}", error.strerror or str(error)) from error
        if mode & 0o077:
            raise _no_access(f"a private key {name} for its owner only", f"mode {mode:04o}; `chmod 600 {name}`")
    if not Path(access.known_hosts).is_file():
        raise _no_access(f"the hosts' keys in {access.known_hosts}", "no such file")


def _no_access(expected: str, found: str) -> Refused:
    return Refused("NO_ACCESS", f"access.yml: expected {expected}, found {found}; nothing was contacted")


def _make_private(folder: Path) -> None:
    """Whoever could write there could say which hosts are meant."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise _no_access(f"a folder {folder} of this user alone", "one that others may use; remove it")


def open_way(settings: SshSettings, targets: Iterable[SshTarget]) -> None:
    """Log in to the bastions once, before many connections want to go through at the same time: a bastion drops
    those that it has too many of (sshd's MaxStartups). Refused NO_ACCESS: there is no way through.
    """
    target = next(iter(targets))
    command = settings.through(target)
    if command is None:
        return
    said = _tried(command, _DOORS * settings.connect_timeout_s)
    if _tried(["ssh", *settings.options(), "-O", "check", command[-1]], _CLOSE_S):  # the host behind it may be dead
        raise _no_access("a way through the bastion", said)


def _tried(command: list[str], timeout_s: float) -> str:
    """What went wrong. A master that it leaves may hold on to what it says, so that is no pipe."""
    with tempfile.TemporaryFile() as said:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "no answer"
        said.seek(0)
        return "" if done.returncode == 0 else last_words(said.read())


def last_words(said: bytes) -> str:
    """The line of what `ssh` said that tells why."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    return (telling[:1] or lines[-1:] or ["no reason given"])[0]


def close_masters(settings: SshSettings, targets: Iterable[SshTarget]) -> None:
    """End the run's ControlMasters: they outlive the commands that opened them by ControlPersist."""
    bastions = settings.access.bastions if settings.access else ()
    destinations = [target.destination for target in targets]
    destinations += [[bastion_alias(number)] for number in reversed(range(len(bastions)))]
    for destination in destinations:
        command = ["ssh", *settings.options(), "-O", "exit", *destination]
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_CLOSE_S, check=False)
        except subprocess.TimeoutExpired:
            continue  # it ends by itself with ControlPersist

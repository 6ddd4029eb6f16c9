"""How hosts are reached over SSH: one settings object for Ansible, fabric and the checks."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.loader.site import LoadedSite, inventory_hosts

_CLOSE_S = 5  # our choice: closing a master is local; a hung one must not hold up the end of a run


@dataclass(frozen=True)
class SshTarget:
    """Where one host or router of hosts.yml answers."""

    name: str
    address: str
    port: int = 22
    user: str | None = None
    interpreter: str = "python3"

    @property
    def destination(self) -> list[str]:
        """The last arguments of the `ssh` command before what it is to run."""
        user = ["-l", self.user] if self.user else []
        return ["-p", str(self.port), *user, self.address]


@dataclass(frozen=True)
class SshSettings:
    """Everything that the `ssh` command, Ansible and fabric need beyond hosts.yml.

    `control_dir` holds the run's own ControlMaster sockets (a short path: sockets are limited to 104
    characters); it belongs to one run and is closed with it.
    """

    control_dir: Path
    private_key: Path | None = None
    known_hosts: Path | None = None
    connect_timeout_s: int = 3  # our choice, measured: a dead host must not hold up the others

    def options(self) -> list[str]:
        """Options of the `ssh` command. A warm master to a frozen host would hang without ServerAlive."""
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


def ssh_targets(site: LoadedSite) -> dict[str, SshTarget]:
    """Every gateway host and CE router of the topology as hosts.yml says to reach it. Nothing else is ever reached."""
    known = inventory_hosts(site.folder / "hosts.yml")
    names = [item.id for item in site.topology.hosts] + [item.id for item in site.topology.routers]
    return {name: _target(name, known[name][1]) for name in names}


def _target(name: str, variables: dict[str, Any]) -> SshTarget:
    user = variables.get("ansible_user")
    return SshTarget(
        name=name,
        address=str(variables.get("ansible_host", name)),
        port=int(variables.get("ansible_port", 22)),
        user=None if user is None else str(user),
        interpreter=str(variables.get("ansible_python_interpreter", "python3")),
    )


def close_masters(settings: SshSettings, targets: Iterable[SshTarget]) -> None:
    """End the run's ControlMasters: they outlive the commands that opened them by ControlPersist."""
    for target in targets:
        command = ["ssh", *settings.options(), "-O", "exit", *target.destination]
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_CLOSE_S, check=False)
        except subprocess.TimeoutExpired:
            continue  # it ends by itself with ControlPersist

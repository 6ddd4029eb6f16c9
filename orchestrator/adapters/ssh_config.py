"""The one OpenSSH configuration by which a real site is reached, made from its `access.yml`. Pure.

Every program goes by it: Ansible, the checks and close-down run `ssh -F` with it, fabric goes through the bastions
with it. It knows hosts by their names of the inventory only; any other destination is refused before a packet is
sent. The user's own and the machine's settings are not read.
"""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.model.access import Access, Bastion

_BASTION = "bastion."  # no host of an inventory has a dot in its name
# In a shell of its own: `exec` would close the output first, and ssh would end it before it has said anything.
_NOT_LISTED = "sh -c 'echo this is no host of the inventory: not contacted >&2; exit 1'"
_KEEPS_S = 600


def bastion_alias(number: int) -> str:
    """Name of the bastion that is passed as the `number`-th, from 0."""
    return f"{_BASTION}{number + 1}"


def ssh_config(access: Access, hosts: Mapping[str, tuple[str, int, str | None]], control_dir: str) -> str:
    """`hosts`: name → address, port, user. The paths of `access` are absolute."""
    lines: list[str] = []
    for number, bastion in enumerate(access.bastions):
        lines += _bastion(number, bastion)
    jump = _through(len(access.bastions))
    for name, (address, port, user) in hosts.items():
        lines += _host(name, address, port, user, [f'IdentityFile "{access.identity_file}"', jump])
    known = [*(bastion_alias(number) for number in range(len(access.bastions))), *hosts]
    lines += [f"Host {' '.join(known)}", *(f"  {option}" for option in _shared(control_dir))]
    lines += ["Host *", *(f"  {option}" for option in _common(access))]
    return "\n".join([*lines, ""])


def _bastion(number: int, bastion: Bastion) -> Iterator[str]:
    more = [f'IdentityFile "{bastion.identity_file}"', _through(number)]
    yield from _host(bastion_alias(number), bastion.address, bastion.port, bastion.user, more)


def _through(bastions: int) -> str:
    return f"ProxyJump {bastion_alias(bastions - 1)}" if bastions else "ProxyCommand none"


def _host(name: str, address: str, port: int, user: str | None, more: Sequence[str]) -> Iterator[str]:
    yield f"Host {name}"
    yield f"  HostName {address}"
    yield f"  Port {port}"
    if user:
        yield f"  User {user}"
    yield from (f"  {option}" for option in more)


def _shared(control_dir: str) -> list[str]:
    """One connection to each, kept for the next that wants one."""
    return ["ControlMaster auto", f"ControlPersist {_KEEPS_S}", f'ControlPath "{control_dir}/%C"']


def _common(access: Access) -> list[str]:
    """A warm master to a frozen host would hang without ServerAlive. curve25519: sntrup costs 90 ms of CPU a host."""
    return [
        f'UserKnownHostsFile "{access.known_hosts}"',
        "GlobalKnownHostsFile /dev/null",
        "StrictHostKeyChecking yes",
        "UpdateHostKeys no",
        "CheckHostIP no",
        "BatchMode yes",
        "IdentitiesOnly yes",
        "PreferredAuthentications publickey",
        "ForwardAgent no",
        "ForwardX11 no",
        "PermitLocalCommand no",
        f"ConnectTimeout {access.connect_timeout_s}",
        "ServerAliveInterval 1",
        "ServerAliveCountMax 3",
        "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org",
        f"ProxyCommand {_NOT_LISTED}",  # the first that is given counts: every host above has its own
    ]

"""`access.yml` of a site: how its hosts are reached over the real network. Holds no password.

Without the file no host of the site is ever contacted outside a twin.
"""

from enum import StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.model.base import Frozen, Id
from orchestrator.model.topology import Port

# They stand in an ssh configuration, where quotes, tokens (%h) and variables ($HOME) would mean something.
FilePath = Annotated[str, Field(pattern=r'^[^"%$*?\s\x00-\x1f][^"%$*?\x00-\x1f]*$', max_length=200)]
# A bastion may take user, target and account in one word, as ops@gwops@198.18.1.11.
UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@/+:-]*$", max_length=128)]
Account = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=32)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", max_length=253)]
Interpreter = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]+$", max_length=200)]


class BecomeMethod(StrEnum):
    """How another account is taken on after log-in, always without a password."""

    NONE = "none"
    SUDO = "sudo"  # with NOPASSWD
    SU = "su"  # only from root


class Become(Frozen):
    """As whom everything of ours runs on a host. The account must be the one that the gateways run as."""

    method: BecomeMethod
    user: Account | None = None

    @model_validator(mode="after")
    def _names_whom(self) -> Self:
        if (self.method is BecomeMethod.NONE) != (self.user is None):
            raise ValueError(f"expected user with sudo and su, and none with none, found {self.method} {self.user}")
        return self


class Bastion(Frozen):
    """A bastion 堡垒机: sessions go through it as TCP forwarding (`ssh -J`)."""

    address: HostName
    port: Port = 22
    user: UserName
    identity_file: Annotated[FilePath | None, Field(description="Default: that of the hosts")] = None


class HostAccess(Frozen):
    """What is otherwise for one host or router."""

    address: Annotated[IPv4Address | None, Field(description="Where it answers; default: hosts.yml")] = None
    port: Port | None = None
    user: UserName | None = None
    interpreter: Annotated[Interpreter | None, Field(description="Python 3.6 or later on the host")] = None
    become: Become | None = None


class Access(Frozen):
    """How hosts and routers are reached. Paths are absolute, start with ~/, or are relative to the site's folder.

    The allow-list is the topology's hosts and routers with these bastions; nothing else is contacted.
    """

    identity_file: Annotated[FilePath, Field(description="The private key, without a passphrase")]
    known_hosts: Annotated[FilePath, Field(description="Host keys; one that is not there is refused")] = "known_hosts"
    user: Annotated[UserName | None, Field(description="Default: ansible_user of hosts.yml")] = None
    bastions: Annotated[tuple[Bastion, ...], Field(description="Passed in this order")] = ()
    become: Become = Become(method=BecomeMethod.NONE)
    hosts: dict[Id, HostAccess] = {}
    connect_timeout_s: Annotated[int, Field(ge=1, le=60)] = 5  # our choice: a dead host must not hold up the others
    consent_tcp: Annotated[
        bool, Field(description="Whether the exchange has consented to TCP connects of ours to its fronts")
    ] = False

    @model_validator(mode="after")
    def _each_bastion_once(self) -> Self:
        named = [(item.address, item.port) for item in self.bastions]
        twice = next((item for item in named if named.count(item) > 1), None)
        if twice:
            raise ValueError(f"expected each bastion once, found {twice[0]}:{twice[1]} again")
        return self

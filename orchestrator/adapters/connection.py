"""A fabric connection to one host: known host keys only, and a limit to every wait."""

import logging
from typing import Any

from fabric import Connection
from paramiko import RejectPolicy
from paramiko.ssh_exception import SSHException
from paramiko.transport import Transport

from orchestrator.adapters.ssh import SshSettings, SshTarget

LOST = (OSError, EOFError, SSHException)  # how fabric and paramiko say that a connection cannot be had or is gone

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # else it prints lost connections on stderr


def connection(target: SshTarget, settings: SshSettings) -> Connection:
    """Not opened yet. The host must be in known_hosts: an unknown or changed key is refused."""
    own_key = settings.private_key is not None
    chosen = Connection(
        target.address,
        user=target.user,
        port=target.port,
        connect_timeout=settings.connect_timeout_s,
        connect_kwargs={
            "key_filename": [str(settings.private_key)] if own_key else [],
            "look_for_keys": not own_key,
            "allow_agent": not own_key,
            "banner_timeout": settings.connect_timeout_s,
            "auth_timeout": settings.connect_timeout_s,
            "channel_timeout": settings.connect_timeout_s,
            "transport_factory": _transport,
        },
    )
    chosen.client.set_missing_host_key_policy(RejectPolicy())
    if settings.known_hosts:
        chosen.client.load_host_keys(str(settings.known_hosts))
    else:
        chosen.client.load_system_host_keys()
    return chosen


def _transport(sock: Any, **options: Any) -> Transport:
    """curve25519 only, as the `ssh` command is told: a post-quantum exchange costs the host 90 ms of CPU."""
    transport = Transport(sock, **options)
    transport.get_security_options().kex = ("curve25519-sha256@libssh.org",)
    return transport

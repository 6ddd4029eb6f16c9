"""A fabric connection to one host: known host keys only, and a limit to every wait.

Through a bastion its bytes go over the `ssh` command, so that the way there obeys the one ssh configuration.
"""

import logging
import socket
import subprocess
import tempfile
from contextlib import suppress
from typing import Any, BinaryIO

from fabric import Config, Connection
from paramiko import RejectPolicy, SSHConfig
from paramiko.ssh_exception import SSHException
from paramiko.transport import Transport

from orchestrator.adapters.ssh import SshSettings, SshTarget, last_words

_END_S = 2.0  # our choice: it is told to end and has nothing to finish
LOST = (OSError, EOFError, SSHException)  # how fabric and paramiko say that a connection cannot be had or is gone

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # else it prints lost connections on stderr


def connection(target: SshTarget, settings: SshSettings) -> Connection:
    """Not opened yet. The host must be in known_hosts: an unknown or changed key is refused."""
    own_key = settings.private_key is not None
    way = settings.through(target)
    chosen = (_Through if way else Connection)(
        target.address,
        config=Config(ssh_config=SSHConfig()),  # nobody's own ssh_config leads elsewhere
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
    if isinstance(chosen, _Through) and way:
        chosen.by(way)
    return chosen


class _Through(Connection):
    """Its socket is one end of a pair; the other is the standard input and output of a command."""

    def by(self, command: list[str]) -> None:
        # As fabric keeps its own: a plain attribute would become a setting.
        self._set(gateway=command, _process=None, _said=tempfile.TemporaryFile())  # noqa: SIM115 - closed with it

    def open(self) -> Any:
        """SSHException: with what the command said, where it said anything: that tells more than a silent socket."""
        try:
            return super().open()
        except LOST as error:
            self._end()
            words = self._words()
            if not words:
                raise
            raise SSHException(words) from error

    def open_gateway(self) -> socket.socket:
        """Called by fabric for the socket to speak SSH over."""
        ours, theirs = socket.socketpair()
        command: list[str] = self.gateway
        said: BinaryIO = self._said
        with theirs:
            process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=said)
        self._set(_process=process)
        return ours

    def close(self) -> None:
        super().close()
        self._end()

    def _end(self) -> None:
        process: subprocess.Popen[bytes] | None = self._process
        if process is not None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
            self._set(_process=None)

    def _words(self) -> str:
        self._said.seek(0)
        said: bytes = self._said.read()
        return last_words(said) if said.strip() else ""


def _transport(sock: Any, **options: Any) -> Transport:
    """curve25519 only, as the `ssh` command is told: a post-quantum exchange costs the host 90 ms of CPU."""
    transport = Transport(sock, **options)
    transport.get_security_options().kex = ("curve25519-sha256@libssh.org",)
    return transport

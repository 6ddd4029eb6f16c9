"""One host's sampler over one SSH session, kept running until told to stop."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from fabric import Connection
from paramiko import Channel

from orchestrator.adapters.connection import LOST, connection
from orchestrator.adapters.sampler_program import LEASE_S, sampler_command
from orchestrator.adapters.ssh import SshSettings, SshTarget

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 5.0  # our choice: back-off between attempts to reach a lost host
_CHUNK = 1 << 16

Heard = Callable[[dict[str, Any]], None]


class Feed:
    """A thread that runs the sampler on one host, hands on each line, and connects again when it is lost.

    `program` makes the program from the host's time of the last line heard (`since`: by an earlier sampler of
    the run), so that the host reports what its logs say of the gap. `heard` gets each line; `connected` gets
    "up" or "lost" with the reason.
    """

    def __init__(
        self,
        target: SshTarget,
        settings: SshSettings,
        program: Callable[[float | None], bytes],
        heard: Heard,
        connected: Callable[[str, str, str], None],
        silence_s: float,
        since: float | None,
    ) -> None:
        self._target, self._settings = target, settings
        self._program, self._heard, self._connected = program, heard, connected
        self._silence_s = silence_s
        self._stopping = threading.Event()
        self._channel: Channel | None = None
        self._last_at = since
        self._thread = threading.Thread(target=self._run, name=f"sampler {target.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; `join` waits for it."""
        self._stopping.set()
        channel = self._channel
        if channel is not None:
            with suppress(*LOST):
                channel.close()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stopping.is_set():
            before = self._last_at
            reason = self._attempt()
            if self._stopping.is_set():
                return
            self._connected(self._target.name, "lost", reason)
            wait_s = _FIRST_WAIT_S if self._last_at != before else min(2 * wait_s, _LONGEST_WAIT_S)
            self._stopping.wait(wait_s)

    def _attempt(self) -> str:
        """Sample until the connection is lost; the reason why it was."""
        link = connection(self._target, self._settings)
        try:
            return self._session(link)
        except TimeoutError as error:
            return str(error) or f"nothing heard for {self._silence_s:g} s"
        except (*LOST, ValueError, LookupError) as error:  # also what a host says that makes no sense
            return f"{type(error).__name__}: {error}"
        finally:
            self._channel = None
            with suppress(*LOST):
                link.close()

    def _session(self, link: Connection) -> str:
        channel = self._channel = link.create_session()
        channel.settimeout(self._silence_s)
        program = self._program(self._last_at)
        channel.exec_command(self._target.command(sampler_command(self._target.interpreter, program)))
        with suppress(OSError):  # a host that cannot run it has closed the channel and says why on stderr
            channel.sendall(program)
        self._connected(self._target.name, "up", "")
        for line in self._lines(channel):
            if line.startswith(b"{"):  # a login script may print something of its own
                self._receive(json.loads(line))
        error = channel.recv_stderr(_CHUNK).decode(errors="replace").strip() if channel.recv_stderr_ready() else ""
        return error.rpartition("\n")[2] or "the session ended"

    def _lines(self, channel: Channel) -> Iterator[bytes]:
        rest = b""
        told = time.monotonic()
        while not self._stopping.is_set() and (data := channel.recv(_CHUNK)):
            *lines, rest = (rest + data).split(b"\n")
            yield from lines
            if time.monotonic() - told > LEASE_S / 6:
                channel.sendall(b"\n")
                told = time.monotonic()

    def _receive(self, line: dict[str, Any]) -> None:
        if "mono" in line:  # a stamp's time is the log's, which may lie before the gap
            self._last_at = line["at"]
        self._heard(line)

"""One shell on one host over one ssh session, with a deadline per command and a circuit breaker.

A command that is not answered in time, or a session that ends, marks the host for good: every later command
is told so at once. A host that is dead or frozen costs its deadline once, not once per check.
"""

import os
import re
import secrets
import selectors
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from orchestrator.errors import DrillctlError

_CHUNK = 1 << 16
# Messages are parsed, so they are in English; `ip` and `ss` stand where a plain user's PATH does not look.
_PREPARE = b"LC_ALL=C; PATH=$PATH:/usr/sbin:/sbin; export LC_ALL PATH\n"
# Programs that look and change nothing of the shell that starts them, with words of which it makes nothing else.
_LOOKS = re.compile(
    r"(?:(?:/usr)?/s?bin/)?(?:cat|command -v|grep|id|ip|ps|readlink|realpath|ss|stat|test|uname)"
    r"(?: (?:[A-Za-z0-9_@%+=:,./-]+|'[^'\n]*'))*"
)


class CouldNotLook(DrillctlError):
    """A host could not be looked at. Nothing is known of it: neither passed nor failed."""


@dataclass(frozen=True)
class Answer:
    """What one command came to."""

    rc: int
    stdout: bytes
    stderr: bytes


class Shell:
    """`argv` starts the remote shell, e.g. `ssh … host exec /bin/sh`. The first command starts it, or
    `start` before.
    """

    def __init__(self, argv: Sequence[str], command_timeout_s: float, connect_timeout_s: float) -> None:
        self._argv = list(argv)
        self._command_timeout_s = command_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._has_answered = False
        self._broken = ""
        self._wake, self._waker = socket.socketpair()
        self._one_at_a_time = threading.Lock()

    def run(self, command: str) -> Answer:
        """Run one command. CouldNotLook: the host does not answer, now or at an earlier command."""
        with self._one_at_a_time:
            if self._broken:
                raise CouldNotLook(self._broken)
            timeout_s = self._command_timeout_s
            if self._process is None:
                self._process = self._started()
            if not self._has_answered:
                timeout_s += self._connect_timeout_s
            answer = self._asked(self._process, command, timeout_s)
            self._has_answered = True
            return answer

    def start(self) -> None:
        """Begin the session, so that it comes up meanwhile. Where it cannot be, the first command says why."""
        with self._one_at_a_time, suppress(OSError):
            if self._process is None and not self._broken:
                self._process = self._started()

    def close(self, reason: str = "the session was closed") -> None:
        """End the session. A command under way in another thread, and any later one, could not look."""
        self._broken = self._broken or reason
        self._waker.close()
        with self._one_at_a_time:
            self._wake.close()
            if self._process is not None:
                self._reap(self._process)

    def _started(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(self._argv, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
        self._send(process, _PREPARE)
        return process

    def _asked(self, process: subprocess.Popen[bytes], command: str, timeout_s: float) -> Answer:
        """Each stream ends with a token that no command can know."""
        token = secrets.token_hex(16)
        framed = f"{_apart(command)} </dev/null; printf '%s %d\\n' {token} $?; printf '%s\\n' {token} >&2\n"
        self._send(process, framed.encode())
        out, err = self._read_to(process, token.encode(), time.monotonic() + timeout_s)
        stdout, _, status = out.partition(token.encode())
        return Answer(int(status), stdout, err.partition(token.encode())[0])

    def _send(self, process: subprocess.Popen[bytes], data: bytes) -> None:
        with suppress(BrokenPipeError):  # its end is noticed, and its last words are read, with the answer
            _pipe(process.stdin).write(data)

    def _read_to(self, process: subprocess.Popen[bytes], token: bytes, deadline: float) -> tuple[bytes, bytes]:
        """Both streams up to and including the token.

        A killed ssh is no end of them: a ControlMaster that it shares holds its pipes. So `close` wakes this up.
        """
        streams = {_pipe(process.stdout): bytearray(), _pipe(process.stderr): bytearray()}
        with selectors.PollSelector() as selector:
            for stream in streams:
                selector.register(stream, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while len(selector.get_map()) > 1:
                ready = [key for key, _ in selector.select(max(0.0, deadline - time.monotonic()))]
                if not ready or any(key.fileobj is self._wake for key in ready):
                    raise self._break(process, "no answer within the deadline")
                for key in ready:
                    data = os.read(key.fd, _CHUNK)
                    buffer = next(buffer for stream, buffer in streams.items() if stream is key.fileobj)
                    buffer += data
                    if not data or (token in buffer and buffer.endswith(b"\n")):
                        selector.unregister(key.fileobj)
        out, err = (bytes(buffer) for buffer in streams.values())
        if token not in out:
            raise self._break(process, err.decode(errors="replace").strip().rpartition("\n")[2] or "the session ended")
        return out, err

    def _break(self, process: subprocess.Popen[bytes], reason: str) -> CouldNotLook:
        self._broken = self._broken or reason
        self._reap(process)
        return CouldNotLook(self._broken)

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            _pipe(stream).close()


def _apart(command: str) -> str:
    """A subshell keeps `exit`, `cd` and an unfinished quote to itself. What only looks needs none: that is one
    process less on the host, where most of the time of a round goes.
    """
    return command if _LOOKS.fullmatch(command) else f"(eval {shlex.quote(command)})"


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise TypeError("expected a process with three pipes")
    return stream

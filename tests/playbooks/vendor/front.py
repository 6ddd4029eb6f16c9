"""A small front server on loopback with one log-in registry. It counts every attempt, log-in, duplicate and logout."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass
class Session:
    last_packet: float
    alive: bool = True


@dataclass
class Registry:
    """One gateway number, one log-in: shared by all fronts of a test. A broken session counts until `release_s`."""

    release_s: float
    attempts: int = 0  # log-ins that were asked for, whatever came of them
    sessions: dict[str, Session] = field(default_factory=dict)
    logins: list[tuple[str, str]] = field(default_factory=list)  # (number, front's endpoint)
    duplicates: list[str] = field(default_factory=list)
    logouts: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def log_in(self, number: str, endpoint: str) -> Session | None:
        with self.lock:
            held = self.sessions.get(number)
            if held and (held.alive or time.monotonic() - held.last_packet < self.release_s):
                self.duplicates.append(number)
                return None
            session = self.sessions[number] = Session(time.monotonic())
            self.logins.append((number, endpoint))
            return session

    def log_out(self, number: str) -> None:
        with self.lock:
            self.sessions.pop(number, None)
            self.logouts.append(number)


class Front:
    """Listens on 127.0.0.1. `mute` swallows what gateways send; `refuse` answers every log-in with a refusal; with
    `silent` it does what it is asked to and says nothing.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.mute = False
        self.refuse = False
        self.silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        for item in (self._listener, *self._connections):
            with suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._talk, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket) -> None:
        number, session = "", None
        with connection:
            for line in self._lines(connection):
                word, _, rest = line.strip().partition(" ")
                self.registry.attempts += word == "LOGIN"
                if self.mute:
                    continue
                if session:
                    session.last_packet = time.monotonic()
                answer = "OK"
                if word == "LOGIN":
                    number = rest
                    session = None if self.refuse else self.registry.log_in(number, self.endpoint)
                    answer = "OK" if session else "REFUSED"
                elif word == "LOGOUT":
                    self.registry.log_out(number)
                    session, answer = None, "BYE"
                with suppress(OSError):
                    if not self.silent:
                        connection.sendall(answer.encode() + b"\n")
        if session:
            session.alive = False

    @staticmethod
    def _lines(connection: socket.socket) -> Iterator[str]:
        """Lines until the other side is gone, however it goes."""
        rest = b""
        with suppress(OSError):
            while data := connection.recv(1000):
                *lines, rest = (rest + data).split(b"\n")
                yield from (line.decode() for line in lines)

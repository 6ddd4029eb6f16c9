"""One TCP front of the simulated exchange: its listener, its connections, and the ways in which it misbehaves.

It speaks and keeps time; who may log in, and what is recorded, is the exchange's desk.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Literal, Protocol, cast

from orchestrator.model.topology import Front
from orchestrator.twin.registry import Answer, End, Kind
from orchestrator.twin.wire import Heartbeat, Logon, Logout, MarketData, Message, WireError, framing

Manner = Literal["dark", "hang", "refuse"]

LOGON_WITHIN_S = 5.0  # SSE IS122, SZSE Binary 1.32
BACKLOG = 256
STATUS_NORMAL = 0
# SSE's numbers, used at every front: SZSE's and NEEQ's are not public.
STATUS_LOGGED_IN_ELSEWHERE = 13328
STATUS_KICKED = 19354
STATUS_REJECTED = 1000  # our choice: MDGW's first status that asks for another server
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Desk(Protocol):
    """What a front asks of the exchange."""

    def logon(self, connection: "Connection", logon: Logon) -> Answer: ...

    def heard(self, session: int) -> None: ...

    def end(self, session: int, how: End) -> None: ...

    def holds(self, session: int) -> bool: ...


class FrontServer:
    """A front with its connections. `listen` makes its listening socket, inside its centre.

    dark and hang are one here: nothing is read, answered or accepted, everything stays open, and the kernel goes on
    accepting connects; what makes a dark front silent is the twin's network. refuse: no listener, sessions reset.
    """

    def __init__(self, front: Front, desk: Desk, listen: Callable[[], socket.socket]) -> None:
        self.front = front
        self.desk = desk
        self._listen = listen
        self._listener: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._accepting: set[asyncio.Task[object]] = set()
        self.manner: Manner | None = None

    @property
    def is_silent(self) -> bool:
        return self.manner is not None

    def open(self) -> None:
        """Listen and accept."""
        if self._listener is None:
            self._listener = self._listen()
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Close the listener and reset every connection."""
        self._stop_accepting()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in tuple(self._connections):
            connection.reset()

    def set_manner(self, manner: Manner | None) -> None:
        """Change how the front behaves; None: as it should."""
        if manner == self.manner:
            return
        was_up, self.manner = self._listener is not None, manner
        if manner == "refuse":
            self.close()
        elif manner is None:
            if was_up:
                self._wake()
            self.open()
        elif was_up:
            self._stop_accepting()
            for connection in self._connections:
                connection.pause()
        else:
            self._listener = self._listen()

    def broadcast(self, sequence: int) -> None:
        """Market data to everybody who is logged in."""
        for connection in self._connections:
            connection.publish(sequence)

    def joined(self, connection: "Connection") -> None:
        self._connections.add(connection)

    def left(self, connection: "Connection") -> None:
        self._connections.discard(connection)

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            while self._listener is not None:
                accepted, _ = self._listener.accept()
                accepted.setblocking(False)
                task: asyncio.Task[object] = loop.create_task(
                    loop.connect_accepted_socket(lambda: Connection(self), accepted)
                )
                self._accepting.add(task)
                task.add_done_callback(self._accepting.discard)

    def _stop_accepting(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)

    def _wake(self) -> None:
        """Go on with the sessions that are still known; whoever came meanwhile has long given up."""
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            while self._listener is not None:
                waiting, _ = self._listener.accept()
                with waiting:
                    waiting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        for connection in tuple(self._connections):
            connection.resume()


class Connection(asyncio.Protocol):
    """One gateway's connection: a logon within 5 s, then heartbeats in the interval that the logon asked for."""

    def __init__(self, server: FrontServer) -> None:
        self._server = server
        self._framing = framing(server.front.service)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._session: int | None = None
        self.source = ""
        self.source_port = 0

    @property
    def front(self) -> Front:
        return self._server.front

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.source, self.source_port = transport.get_extra_info("peername")
        self._server.joined(self)
        if self._server.manner == "refuse":  # since the accept
            self.reset()
            return
        if self._server.is_silent:  # since the accept
            self._transport.pause_reading()
        self._timer = asyncio.get_running_loop().call_later(LOGON_WITHIN_S, self._no_logon)

    def data_received(self, data: bytes) -> None:
        if self._session is not None:
            self._server.desk.heard(self._session)
        try:
            messages = self._framing.feed(data)
        except WireError:
            self.reset()
            return
        for message in messages:
            if self._transport is not None and not self._transport.is_closing():
                self._take(message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (how it was lost makes no difference)
        self._finish(End.CLOSED)
        self._server.left(self)
        self._transport = None

    def publish(self, sequence: int) -> None:
        if self._session is not None:
            self._send(MarketData(sequence))

    def pause(self) -> None:
        """Stop reading. What is sent from now on is dropped."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on if the session is still known, else reset: nobody waits for a logon that was given up."""
        if self._session is None or not self._server.desk.holds(self._session):
            self.reset()
        elif self._transport is not None:
            self._transport.resume_reading()

    def expired(self) -> None:
        """The session was silent for too long. A silent front does not even close it."""
        if not self._server.is_silent:
            self.reset()

    def kicked(self) -> None:
        """Another login took the number or certificate over. A silent front cannot say so."""
        if not self._server.is_silent:
            self._say_goodbye(Logout(STATUS_KICKED, "logged in elsewhere"))

    def ended(self, reason: str) -> None:
        """The exchange ends the session. A silent front cannot say so."""
        if not self._server.is_silent:
            self._say_goodbye(Logout(STATUS_REJECTED, reason))

    def reset(self) -> None:
        """Close with RST at once."""
        self._finish(End.CLOSED)
        if self._transport is not None:
            raw: socket.socket = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self._transport.abort()

    def _take(self, message: Message) -> None:
        if isinstance(message, Logout):
            self._finish(End.LOGOUT)
            self._say_goodbye(Logout(STATUS_NORMAL, "normal logout"))
        elif isinstance(message, Logon) and self._session is None:
            self._logon(message)
        elif isinstance(message, Logon) or self._session is None:
            self.reset()

    def _logon(self, logon: Logon) -> None:
        answer = self._server.desk.logon(self, logon)
        if answer.session is None:
            status = STATUS_REJECTED if answer.kind is Kind.REJECTED else STATUS_LOGGED_IN_ELSEWHERE
            self._say_goodbye(Logout(status, answer.reason))
            return
        self._session = answer.session
        self._send(logon)
        self._beat_every(logon.heartbeat_s)

    def _beat_every(self, interval_s: int) -> None:
        def beat() -> None:
            self._send(Heartbeat())
            self._timer = loop.call_later(interval_s, beat)

        self._cancel_timer()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(interval_s, beat)

    def _no_logon(self) -> None:
        if not self._server.is_silent:
            self.reset()

    def _send(self, message: Message) -> None:
        if self._transport is not None and not self._server.is_silent:
            self._transport.write(self._framing.encode(message))

    def _say_goodbye(self, logout: Logout) -> None:
        self._finish(End.CLOSED)
        self._send(logout)
        if self._transport is not None:
            self._transport.close()

    def _finish(self, how: End) -> None:
        """The session is over; the first to say so tells the desk how."""
        self._cancel_timer()
        session, self._session = self._session, None
        if session is not None:
            self._server.desk.end(session, how)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

"""The simulated gateway's session with the exchange: its list from top to bottom, again and again.

One thread, driven by the selector's events and by
`tick`; it never blocks.
"""

import enum
import errno
import math
import os
import selectors
import socket
import struct

from orchestrator.twin import wire
from orchestrator.twin.programs.gateway_files import Log, Settings, Status, Token

PAUSE_S = 1.0  # our choice: after a refusal, and after a whole round of the list without a login
LOGOUT_WAIT_S = 1.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class State(enum.Enum):
    WAITING = "waiting"
    CONNECTING = "connecting"
    LOGGING_ON = "logging on"
    UP = "up"
    LEAVING = "leaving"
    SHUT = "shut"  # its certificate cannot be used: a person has to start it anew
    STOPPED = "stopped"


class Upstream:
    """One session at a time.

    A try, connecting and the answer to the logon together, lasts no longer than the connect timeout, so that list
    length × connect timeout bounds a round.
    """

    def __init__(
        self, settings: Settings, instance: str, selector: selectors.BaseSelector, log: Log, status: Status, now: float
    ) -> None:
        self._settings = settings
        self._instance = instance
        self._selector = selector
        self._log = log
        self._status = status
        self._endpoints = settings.endpoints()
        status.certificate, self._certificate = settings.certificate()
        self._token = Token(settings, self._certificate)
        self._token_trouble = self._token.open()
        self._heartbeat_s: int = settings["heartbeat_s"]
        self._index = 0
        self._socket: socket.socket | None = None
        self._framing = wire.framing(settings["class"])
        self._heard = False
        self._heard_at = now
        self._beat_at = math.inf
        self._until = now
        self._state = State.WAITING
        status.show(False, "")

    @property
    def logged_in(self) -> bool:
        return self._state is State.UP

    @property
    def stopped(self) -> bool:
        return self._state is State.STOPPED

    def deadline(self) -> float:
        """When `tick` has something to do."""
        if self._state is State.SHUT:
            return math.inf
        if self._state is State.UP:
            return min(self._beat_at, self._heard_at + 2 * self._heartbeat_s)
        return self._until

    def tick(self, now: float) -> None:
        self._note_heard(now)
        if self._state is State.WAITING and now >= self._until:
            self._connect(now)
        elif self._state in (State.CONNECTING, State.LOGGING_ON) and now >= self._until:
            self._failed("no answer", now)
        elif self._state is State.LEAVING and now >= self._until:
            self._drop()
            self._state = State.STOPPED
        elif self._state is State.UP:
            self._stay(now)

    def leave(self, now: float) -> None:
        """Log out if logged in, then stop. The front has a second to acknowledge it."""
        if self._state is State.UP:
            self._until = now + LOGOUT_WAIT_S
            self._state = State.LEAVING
            self._send(wire.Logout(0, "normal logout"))
        elif self._state is not State.LEAVING:
            self._drop()
            self._state = State.STOPPED

    def _endpoint(self) -> str:
        return self._endpoints[self._index]

    def _note_heard(self, now: float) -> None:
        if self._heard:
            self._heard_at = now
            self._heard = False

    def _connect(self, now: float) -> None:
        """With a certificate that cannot be used nothing is tried: the next one could lock the EKey."""
        trouble = self._token_trouble or self._token.trouble()
        if trouble:
            self._log.event("refused", self._endpoint(), trouble)
            self._state = State.SHUT
            return
        address, _, port = self._endpoint().rpartition(":")
        self._socket = connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What is given up must not reach a front later, when its line is back: no retransmission outlives us.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2000 * self._heartbeat_s)
        self._state = State.CONNECTING
        self._until = now + self._settings["connect_timeout_s"]
        try:
            connection.bind((self._settings["address"], 0))
            code = connection.connect_ex((address, int(port)))
        except OSError as error:
            code = error.errno or errno.EIO
        if code not in (0, errno.EINPROGRESS):
            self._failed(os.strerror(code), now)
            return
        self._selector.register(connection, selectors.EVENT_WRITE, self._connected)

    def _connected(self, now: float) -> None:
        connection = self._open_socket()
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._failed(os.strerror(code), now)
            return
        self._selector.modify(connection, selectors.EVENT_READ, self._readable)
        self._log.event("connected", self._endpoint())
        self._status.show(False, self._endpoint())
        self._state = State.LOGGING_ON
        self._framing = wire.framing(self._settings["class"])
        settings = self._settings
        self._send(
            wire.Logon(
                settings["number"],
                self._heartbeat_s,
                self._certificate.get("fingerprint", ""),
                self._instance,
                settings["protocol"],
            )
        )

    def _readable(self, now: float) -> None:
        try:
            data = self._open_socket().recv(65536)
            messages = self._framing.feed(data)
        except BlockingIOError:
            return
        except (OSError, wire.WireError) as error:
            self._failed(str(error), now)
            return
        if not data:
            self._failed("closed by the front", now)
            return
        self._heard = True
        for message in messages:
            self._take(message, now)

    def _take(self, message: wire.Message, now: float) -> None:
        if isinstance(message, wire.MarketData):
            self._status.advance(message.sequence)
        elif isinstance(message, wire.Logon) and self._state is State.LOGGING_ON:
            self._state = State.UP
            self._heard_at, self._beat_at = now, now + self._heartbeat_s
            self._log.event("logged_in", self._endpoint())
            self._status.show(True, self._endpoint())
        elif isinstance(message, wire.Logout) and self._socket is not None:
            self._logged_out(message, now)

    def _logged_out(self, message: wire.Logout, now: float) -> None:
        """Our logout is acknowledged, our logon is refused, or the front throws us out."""
        endpoint, text = self._endpoint(), f"{message.status} {message.text}".strip()
        if self._state is State.LEAVING:
            self._log.event("logged_out", endpoint)
            self._drop()
            self._state = State.STOPPED
            return
        self._log.event("refused" if self._state is State.LOGGING_ON else "lost", endpoint, text)
        self._next(now + PAUSE_S)

    def _stay(self, now: float) -> None:
        if now >= self._heard_at + 2 * self._heartbeat_s:
            self._failed(f"nothing heard for {2 * self._heartbeat_s} s", now)
        elif now >= self._beat_at:
            self._beat_at = now + self._heartbeat_s
            self._send(wire.Heartbeat())

    def _send(self, message: wire.Message) -> None:
        """What cannot be sent is not reported here: the silence that follows is."""
        try:
            self._open_socket().send(self._framing.encode(message))
        except OSError:
            return

    def _failed(self, reason: str, now: float) -> None:
        if self._state is State.LEAVING:
            self._drop()
            self._state = State.STOPPED
            return
        if self._state is State.CONNECTING:
            self._log.text(f"cannot connect to {self._endpoint()}: {reason}")
        else:
            self._log.event("lost", self._endpoint(), reason)
        is_last = self._index + 1 == len(self._endpoints)
        self._next(now + PAUSE_S if is_last and self._state is not State.UP else now)

    def _next(self, at: float) -> None:
        self._drop()
        self._index = (self._index + 1) % len(self._endpoints)
        self._state = State.WAITING
        self._until = at

    def _drop(self) -> None:
        """Close at once. A reset, so that nothing unsent lives on in the kernel."""
        connection, self._socket = self._socket, None
        self._status.show(False, "")
        if connection is None:
            return
        if connection in self._selector.get_map():
            self._selector.unregister(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        connection.close()

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            raise OSError(errno.ENOTCONN, "not connected")
        return self._socket

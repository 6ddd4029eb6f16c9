"""The simulated gateway's order port: exactly one order system, and a logon is accepted only when logged in upstream.

Logout 5003 refuses a second connection, 5006 says
that the gateway is not logged in itself (SSE IS120, IS122).
"""

import math
import selectors
import socket
from collections.abc import Callable

from orchestrator.twin import wire
from orchestrator.twin.programs.gateway_files import Log, Settings

ONE_CONNECTION_ONLY = wire.Logout(5003, "only one connection")
NOT_READY = wire.Logout(5006, "not ready")


class Orders:
    """Listens on the host's site address. Where another gateway of the host has the port, it does without."""

    def __init__(
        self, settings: Settings, selector: selectors.BaseSelector, log: Log, is_logged_in: Callable[[], bool]
    ) -> None:
        self._class: str = settings["class"]
        self._heartbeat_s: int = settings["heartbeat_s"]
        self._selector = selector
        self._is_logged_in = is_logged_in
        self._client: socket.socket | None = None
        self._framing = wire.framing(self._class)
        self._served = False
        self._beat_at = math.inf
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings["address"], settings["order_port"]))
            listener.listen(8)
        except OSError as error:
            log.text(f"order port {settings['order_port']} not opened: {error.strerror}")
            listener.close()
            return
        selector.register(listener, selectors.EVENT_READ, lambda _now: self._accept(listener))

    def deadline(self) -> float:
        return self._beat_at

    def tick(self, now: float) -> None:
        """Heartbeats while the order system is served, and the end of it when the gateway is not logged in."""
        if self._served and not self._is_logged_in():
            self._say(NOT_READY)
            self._close()
        elif now >= self._beat_at:
            self._beat_at = now + self._heartbeat_s
            self._say(wire.Heartbeat())

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        client.setblocking(False)
        if self._client is not None:
            with client:
                client.send(wire.framing(self._class).encode(ONE_CONNECTION_ONLY))
            return
        self._client = client
        self._framing = wire.framing(self._class)
        self._selector.register(client, selectors.EVENT_READ, self._readable)

    def _readable(self, now: float) -> None:
        if self._client is None:
            return
        try:
            data = self._client.recv(65536)
            messages = self._framing.feed(data)
        except BlockingIOError:
            return
        except (OSError, wire.WireError):
            self._close()
            return
        if not data:
            self._close()
        for message in messages:
            self._take(message, now)

    def _take(self, message: wire.Message, now: float) -> None:
        if isinstance(message, wire.Logout):
            self._say(wire.Logout(0, "normal logout"))
            self._close()
        elif isinstance(message, wire.Logon) and not self._is_logged_in():
            self._say(NOT_READY)
            self._close()
        elif isinstance(message, wire.Logon):
            self._served = True
            self._beat_at = now + self._heartbeat_s
            self._say(message)

    def _say(self, message: wire.Message) -> None:
        if self._client is None:
            return
        try:
            self._client.send(self._framing.encode(message))
        except OSError:
            self._close()

    def _close(self) -> None:
        client, self._client = self._client, None
        self._served, self._beat_at = False, math.inf
        if client is not None:
            self._selector.unregister(client)
            client.close()

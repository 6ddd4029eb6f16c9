"""The simulated exchange: every front of the topology in its centre, one login registry, and the ground truth.

It knows what really happened: tests and the annex of a rehearsal read `truth()`, the orchestrator never does.
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from orchestrator.model.drill import CertificateCause
from orchestrator.model.topology import Front, GatewayClass, Topology
from orchestrator.twin.exchange_front import BACKLOG, Connection, FrontServer, Manner
from orchestrator.twin.gateway_processes import lives, receiving
from orchestrator.twin.registry import Answer, Attempt, End, Policy, Registry
from orchestrator.twin.wire import Logon, MarketData, fingerprint, framing

MARKET_DATA_INTERVAL_S = 0.2  # our choice: fine enough for a gap in tenths of a second
SWEEP_INTERVAL_S = 0.1  # our choice; a timeout is stamped with the moment it ran out, not with the sweep's
MULTICAST_TTL = 16
# SSE-5.3: a certificate that is issued again is revoked; what is lost or damaged is not, before that.
_REFUSED = {
    CertificateCause.EXPIRED: "certificate has expired",
    CertificateCause.REISSUE: "certificate is revoked",
}
MARKET_DATA = (GatewayClass.MARKET_DATA_TCP, GatewayClass.MARKET_DATA_MULTICAST, GatewayClass.MDGW)


class Exchange:
    """All fronts of all centres. Belongs to one event loop, and is called in its thread only.

    `in_centre(centre)` is entered while a front's socket is made. `line_of(centre, source, port)` says by which line
    a gateway's packets come in. `log_folder` gets `exchange.jsonl`, one line per login and end of a session.
    """

    def __init__(
        self,
        topology: Topology,
        in_centre: Callable[[str], AbstractContextManager[None]],
        line_of: Callable[[str, str, int], str | None],
        log_folder: Path,
        policy: Policy = Policy.REFUSE_NEW,
        alive: Callable[[str], bool] = lives,
    ) -> None:
        self._topology = topology
        self._in_centre = in_centre
        self._line_of = line_of
        self._log = log_folder / "exchange.jsonl"
        self._registry = Registry(policy, alive)
        self._logged = 0
        self._connections: dict[int, Connection] = {}
        self._certificates = {fingerprint(item.id): item.id for item in topology.certificates}
        self._servers: dict[str, FrontServer] = {}
        self._senders: dict[str, socket.socket] = {}
        self._manners: dict[str, Manner | None] = {}
        self._causes: dict[str, CertificateCause] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open every front. OSError says which address was not to be had; then nothing stays open."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            for front in self._topology.fronts:
                self._open(front)
        except OSError:
            await self.stop()
            raise
        self._tasks = [asyncio.create_task(self._publish()), asyncio.create_task(self._sweep())]

    async def stop(self) -> None:
        """Close everything. Sessions are reset."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        for server in self._servers.values():
            server.close()
        for sender in self._senders.values():
            sender.close()
        self._servers, self._senders, self._tasks = {}, {}, []
        await asyncio.sleep(0)  # let the connections learn that they were reset

    def set_manner(self, front_ids: Iterable[str], manner: Manner | None) -> None:
        """Make fronts fail: dark or hang says and closes nothing, refuse resets. None: as they should be."""
        for name in front_ids:
            self._manners[name] = manner
            if name in self._servers:
                self._servers[name].set_manner(manner)

    def set_causes(self, causes: Mapping[str, CertificateCause]) -> None:
        """Certificates that cannot be used, and why: a session that stands with one ends. What has expired or was
        revoked is refused from now on.
        """
        new = {name for name in causes if name not in self._causes}
        self._causes = dict(causes)
        for session in self._registry.using(new):
            if session in self._connections:
                self._connections[session].ended("the certificate cannot be used")

    def truth(self) -> dict[str, Any]:
        """Everything that happened and what is so now, as plain data. Lines of sessions are asked for afresh."""
        self._registry.sweep(time.time())
        truth = self._registry.truth()
        for item in self._registry.current():
            truth["current"][item.number]["line"] = self._line_of(item.centre, item.source, item.source_port)
        return truth | {"receiving": receiving(self._topology)}

    def logon(self, connection: Connection, logon: Logon) -> Answer:
        """Judge a logon that reached a front."""
        attempt = self._attempt(connection, logon)
        wrong = self._wrong(connection.front, logon)
        answer = self._registry.reject(attempt, wrong) if wrong else self._registry.login(attempt)
        if answer.session is not None:
            self._connections[answer.session] = connection
        for session in answer.kicked:
            self._connections.pop(session).kicked()
        self._write_log()
        return answer

    def heard(self, session: int) -> None:
        self._registry.heard(session, time.time())

    def end(self, session: int, how: End) -> None:
        self._registry.end(session, time.time(), how)
        self._connections.pop(session, None)
        self._write_log()

    def holds(self, session: int) -> bool:
        return self._registry.holds(session)

    def _open(self, front: Front) -> None:
        if front.group is not None:
            self._senders[front.id] = self._sender(front)
            return
        server = FrontServer(front, self, lambda: self._listener(front))
        server.open()
        self._servers[front.id] = server

    def _listener(self, front: Front) -> socket.socket:
        with self._in_centre(front.centre):
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return _bound(listener, front, lambda: listener.listen(BACKLOG))

    def _sender(self, front: Front) -> socket.socket:
        with self._in_centre(front.centre):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.setblocking(False)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, MULTICAST_TTL)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, front.address.packed)
        return _bound(sender, front.model_copy(update={"port": 0}), lambda: None)

    def _attempt(self, connection: Connection, logon: Logon) -> Attempt:
        front = connection.front
        return Attempt(
            at=time.time(),
            number=logon.number,
            certificate=self._certificates.get(logon.certificate, logon.certificate) or None,
            front=front.id,
            centre=front.centre,
            source=connection.source,
            source_port=connection.source_port,
            instance=logon.instance,
            timeout_s=self._topology.release_s(front) or 2.0 * logon.heartbeat_s,
            gateway=self._gateway_at(connection.source, logon.number),
            line=self._line_of(front.centre, connection.source, connection.source_port),
        )

    def _gateway_at(self, source: str, number: str) -> str | None:
        for gateway in self._topology.gateways:
            if gateway.number == number and str(self._topology.host[gateway.host].site_address) == source:
                return gateway.id
        return None

    def _wrong(self, front: Front, logon: Logon) -> str:
        """Why the logon cannot be right whoever else is logged in; empty if nothing is wrong."""
        services = {item.gateway_class for item in self._topology.gateways if item.number == logon.number}
        if front.service not in services:
            return f"unknown number {logon.number}"
        if logon.protocol != front.protocol:
            return f"protocol {logon.protocol} at a front for {front.protocol}"
        if logon.certificate and logon.certificate not in self._certificates:
            return "unknown certificate"
        cause = self._causes.get(self._certificates.get(logon.certificate, ""))
        if cause in _REFUSED:
            return _REFUSED[cause]
        return "" if logon.heartbeat_s > 0 else "heartbeat interval missing"

    async def _publish(self) -> None:
        """One sequence per service, so that it goes on at the other centre where this one left it."""
        loop = asyncio.get_running_loop()
        next_at, sequence = loop.time(), 0
        while True:
            sequence += 1
            for front in self._topology.fronts:
                if front.service in MARKET_DATA and self._manners.get(front.id) is None:
                    self._publish_at(front, sequence)
            next_at = max(next_at + MARKET_DATA_INTERVAL_S, loop.time())
            await asyncio.sleep(next_at - loop.time())

    def _publish_at(self, front: Front, sequence: int) -> None:
        if front.group is None:
            self._servers[front.id].broadcast(sequence)
            return
        data = framing(front.service).encode(MarketData(sequence))
        with contextlib.suppress(OSError):  # its line is down: that is what a twin is for
            self._senders[front.id].sendto(data, (str(front.group), front.port))

    async def _sweep(self) -> None:
        while True:
            self._registry.sweep(time.time())
            for session in [name for name in self._connections if not self._registry.holds(name)]:
                self._connections.pop(session).expired()
            self._write_log()
            await asyncio.sleep(SWEEP_INTERVAL_S)

    def _write_log(self) -> None:
        new = self._registry.events(self._logged)
        if new:
            self._logged += len(new)
            with self._log.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps({"event": what} | data) + "\n" for what, data in new)


def _bound(opened: socket.socket, front: Front, then: Callable[[], None]) -> socket.socket:
    """Bind to the front's address; an error names the front and leaves nothing open."""
    try:
        opened.bind((str(front.address), front.port))
        then()
    except OSError as error:
        opened.close()
        raise OSError(error.errno, f"front {front.id} at {front.address}:{front.port}: {error.strerror}") from error
    return opened

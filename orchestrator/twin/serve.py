"""The daemon's life after everything is built: brings the simulated business up, then answers its users."""

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import Any

from orchestrator.errors import Refused
from orchestrator.model.drill import CertificateCause, FaultManner
from orchestrator.model.plan import Fault
from orchestrator.twin.birdctl import sessions, waiting
from orchestrator.twin.epochs import Epochs
from orchestrator.twin.exchange import Exchange
from orchestrator.twin.faults import Faults
from orchestrator.twin.freezer import Freezer
from orchestrator.twin.gateways import Gateways
from orchestrator.twin.hosts import HostSpec
from orchestrator.twin.layout import centre_space
from orchestrator.twin.lines import LineTruth
from orchestrator.twin.machine import BirdAt, Machine
from orchestrator.twin.nft import Nft
from orchestrator.twin.processes import is_alive
from orchestrator.twin.sshd import Sshd
from orchestrator.twin.state import SOCKET
from orchestrator.twin.surprises import Surprises
from orchestrator.twin.tokens import Tokens

_UP_WITHIN_S = 60  # our choice: hundreds of hosts on two cores
_LOOK_EVERY_S = 0.02
_ASKED_AT_ONCE = 8  # our choice: who asks hundreds of hosts again and again keeps the processors from starting them
_LONGEST_REQUEST = 1 << 20

Operation = Callable[[dict[str, Any]], Any]


async def serve(machine: Machine, folder: Path, lease_s: float, ready: Callable[[], None]) -> None:
    """Returns when the lease has ended or the daemon was told to end."""
    nft = Nft(machine.namespaces)
    lines = LineTruth(machine.layout, nft)
    exchange = Exchange(
        machine.topology, lambda centre: machine.namespaces.inside(centre_space(centre)), lines.line_of, folder
    )
    freezer = Freezer(machine.processes)
    gateways = Gateways(machine.topology, machine.processes, freezer)
    tokens = Tokens(machine.topology, machine.processes)

    def set_causes(causes: Mapping[str, CertificateCause]) -> None:
        """The hosts first: who is thrown out must not come back with what cannot be used."""
        tokens.set_causes(causes)
        exchange.set_causes(causes)

    faults = Faults(machine.topology, nft, exchange.set_manner, freezer, set_causes)
    await exchange.start()
    try:
        async with asyncio.timeout(_UP_WITHIN_S):
            await _bring_up(machine, gateways)
    except TimeoutError as error:
        found = f"{_bfd(machine)} BFD sessions"
        raise Refused("TWIN_FAILED", f"expected all to be up within {_UP_WITHIN_S} s, found {found}") from error
    sshd = Sshd(machine.specs, machine.processes, freezer)
    surprises = Surprises(faults)
    truth = partial(_truth, lines, exchange, faults, surprises)
    desk = _Desk(machine, gateways, faults, sshd, lambda _: truth() | {"pin_attempts": tokens.pin_attempts()}, lease_s)
    desk.serves_surprises(surprises)
    server = await asyncio.start_unix_server(desk.serve, folder / SOCKET, limit=_LONGEST_REQUEST)
    async with server:
        ready()
        await desk.until_end()


def _truth(lines: LineTruth, exchange: Exchange, faults: Faults, surprises: Surprises) -> dict[str, Any]:
    with lines.listed_once():
        return exchange.truth() | {"lapsed": faults.lapsed()} | surprises.truth()


async def _bring_up(machine: Machine, gateways: Gateways) -> None:
    """Gateways start when there is a way to the fronts, while routers still settle the ways across links."""
    few = asyncio.Semaphore(_ASKED_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for spec in machine.specs.values():
            group.create_task(_answers(spec, few))
        await _until(lambda: all(up >= bird.sessions for up, bird in _bfd_by_bird(machine)))
        group.create_task(gateways.start_enabled())
        await _until(lambda: all(not waiting(bird.control) for bird in machine.birds.values()))


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 (bird tells nobody: it has to be asked)
        await asyncio.sleep(_LOOK_EVERY_S)


def _bfd_by_bird(machine: Machine) -> Iterator[tuple[int, BirdAt]]:
    """Each bird with how many of its BFD sessions are up."""
    for bird in machine.birds.values():
        yield sum(item["state"] == "Up" for item in sessions(bird.control)), bird


def _bfd(machine: Machine) -> dict[str, int]:
    found = list(_bfd_by_bird(machine))
    return {"expected": sum(bird.sessions for _, bird in found), "up": sum(up for up, _ in found)}


async def _answers(spec: HostSpec, few: asyncio.Semaphore) -> None:
    """Sshd on the host greets."""
    async with few:
        while not await _greets(spec):  # noqa: ASYNC110 (sshd tells nobody: it has to be asked)
            await asyncio.sleep(_LOOK_EVERY_S)


async def _greets(spec: HostSpec) -> bool:
    try:
        reader, writer = await asyncio.open_connection(spec.address, spec.port)
        greeting = await reader.readline()
    except OSError:
        return False
    writer.close()
    return greeting.startswith(b"SSH-2.0")


class _Desk:
    """Answers requests. Any request but `status` renews the twin's lease; only `renew` renews the dead-men."""

    def __init__(
        self, machine: Machine, gateways: Gateways, faults: Faults, sshd: Sshd, truth: Operation, lease_s: float
    ) -> None:
        self._machine = machine
        self._gateways = gateways
        self._faults = faults
        self._epochs = Epochs()
        self._lease_s = lease_s
        self._up_since = time.time()
        self._end = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(lease_s, self._end.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        self._operations: dict[str, Operation] = {
            "keep": lambda _: None,
            "truth": truth,
            "status": lambda _: self._status(),
            "renew": self._of_its_run(lambda _: faults.renew()),
            "inject": self._of_its_run(lambda request: faults.inject(_fault(request), request["lease_s"])),
            "lift": self._of_its_run(lambda request: faults.lift(_fault(request))),
            "is_on": self._of_its_run(lambda request: faults.is_on(_fault(request))),
            "block_gateway": lambda request: gateways.block(request["gateway"]),
            "kill_gateway": lambda request: gateways.kill(request["gateway"]),
            "freeze_gateway": lambda request: gateways.freeze(request["gateway"]),
            "thaw_gateway": lambda request: gateways.thaw(request["gateway"]),
            "freeze_host": lambda request: faults.inject(_frozen(request["host"]), None),
            "thaw_host": lambda request: faults.lift(_frozen(request["host"])),
            "kill_sshd": lambda request: sshd.kill(request["host"]),
            "start_sshd": lambda request: sshd.start(request["host"]),
            "freeze_sshd": lambda request: sshd.freeze(request["host"]),
            "thaw_sshd": lambda request: sshd.thaw(request["host"]),
        }

    def serves_surprises(self, surprises: Surprises) -> None:
        """They belong to no run."""
        self._operations["surprise"] = lambda request: surprises.make(_fault(request), request["text"])
        self._operations["surprise_over"] = lambda _: surprises.lift()

    def _of_its_run(self, operation: Operation) -> Operation:
        """Refused to an orchestrator that has lost its run; `run` and `epoch` are left out by who is of no run."""

        def admitted(request: dict[str, Any]) -> Any:
            self._epochs.admit(request.get("run"), request.get("epoch"))
            return operation(request)

        return admitted

    async def until_end(self) -> None:
        await self._end.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One user: a request per line, an answer per line."""
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(json.loads(line))).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            return  # the user has gone, or did not speak our language
        finally:
            writer.close()

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        operation = request.pop("operation")
        if operation not in self._operations:
            return _refusal("NO_SUCH_OPERATION", f"expected one of {', '.join(self._operations)}, found {operation!r}")
        if operation != "status":
            self._renew_lease()
        try:
            result = self._operations[operation](request)
            return {"result": await result if isawaitable(result) else result}
        except Refused as error:
            return _refusal(error.code, str(error).removeprefix(f"{error.code}: "))
        except (OSError, KeyError, ValueError) as error:
            return _refusal("TWIN_FAILED", f"{operation}: {type(error).__name__}: {error}")

    def _renew_lease(self) -> None:
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._lease_s, self._end.set)

    def _status(self) -> dict[str, Any]:
        frozen = self._faults.frozen()
        hosts = {
            name: "frozen" if name in frozen else "up" if is_alive(pid) else "down"
            for name, pid in self._machine.processes.items()
        }
        return {
            "site": self._machine.topology.site.name,
            "up_since": self._up_since,
            "lease_s": round(self._timer.when() - asyncio.get_running_loop().time(), 1),
            "hosts": hosts,
            "gateways": self._gateways.running(),
            "faults": self._faults.describe(),
            "lapsed": self._faults.lapsed(),
            "bfd": _bfd(self._machine),
        }


def _fault(request: dict[str, Any]) -> Fault:
    return Fault.model_validate(request["fault"])


def _frozen(host: str) -> Fault:
    return Fault(manner=FaultManner.FREEZE, hosts=(host,))


def _refusal(code: str, message: str) -> dict[str, Any]:
    return {"refused": code, "message": message}

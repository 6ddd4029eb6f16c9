"""Starts, watches and sabotages the simulated gateways on their hosts, from outside."""

import asyncio
import signal
from pathlib import Path

from orchestrator.errors import Refused
from orchestrator.model.topology import Gateway, ServiceManager, Topology, fill
from orchestrator.twin.freezer import Freezer
from orchestrator.twin.processes import command_lines, tell, with_text
from orchestrator.twin.programs import nursery
from orchestrator.twin.programs.gateway_files import FOLDER

_AT_ONCE = 4  # our choice: a start is a burst of CPU, and a machine may have two cores
_START_WITHIN_S = 20


class Gateways:
    """`processes` is process 1 of each host."""

    def __init__(self, topology: Topology, processes: dict[str, int], freezer: Freezer) -> None:
        self._topology = topology
        self._processes = processes
        self._freezer = freezer

    async def start_enabled(self) -> None:
        """Start every enabled gateway as its site does. OSError says which start failed."""
        at_once = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for gateway in self._topology.gateways:
                if gateway.enabled:
                    group.create_task(self._start(gateway, at_once))

    def running(self) -> dict[str, bool]:
        """Whether a process of each gateway is there."""
        lines = {host.id: list(command_lines(self._processes[host.id]).values()) for host in self._topology.hosts}
        return {
            gateway.id: any(self._text(gateway) in line for line in lines[gateway.host])
            for gateway in self._topology.gateways
        }

    def block(self, name: str) -> None:
        """From now on the gateway exits as soon as it is started."""
        gateway = self._gateway(name)
        root = Path(f"/proc/{self._processes[gateway.host]}/root")
        (root / FOLDER.lstrip("/") / f"block-{gateway.id}").touch()

    def kill(self, name: str) -> None:
        """Kill the gateway's process as a crash would: nothing is said to anybody."""
        gateway = self._gateway(name)
        tell(self._found(gateway, self._running(gateway)), signal.SIGKILL)

    def freeze(self, name: str) -> None:
        """Stop the gateway's process as a hang would: its sockets stay, nobody answers."""
        gateway = self._gateway(name)
        self._found(gateway, self._freezer.freeze(gateway.host, name, lambda: self._running(gateway)))

    def thaw(self, name: str) -> None:
        """Let a frozen gateway go on; one that was killed meanwhile stays away."""
        self._freezer.thaw(self._gateway(name).host, name)

    def _running(self, gateway: Gateway) -> list[int]:
        return with_text(self._processes[gateway.host], self._text(gateway))

    def _found(self, gateway: Gateway, pids: list[int]) -> list[int]:
        if not pids:
            raise Refused(
                "NOT_RUNNING",
                f"expected gateway {gateway.id} to run on {gateway.host}, found no process {self._text(gateway)!r}",
            )
        return pids

    async def _start(self, gateway: Gateway, at_once: asyncio.Semaphore) -> None:
        root = f"/proc/{self._processes[gateway.host]}/root"
        async with at_once, asyncio.timeout(_START_WITHIN_S):
            code, said = await nursery.ask(root, *_start_command(self._topology, gateway))
        if code:
            raise OSError(f"gateway {gateway.id} could not be started on {gateway.host}: {said}")

    def _gateway(self, name: str) -> Gateway:
        if name not in self._topology.gateway:
            raise Refused(
                "NO_GATEWAY", f"expected a gateway ({', '.join(sorted(self._topology.gateway))}), found {name!r}"
            )
        return self._topology.gateway[name]

    def _text(self, gateway: Gateway) -> str:
        return fill(self._topology.profiles[gateway.profile].service.process, gateway)


def _start_command(topology: Topology, gateway: Gateway) -> tuple[str, list[str]]:
    service = topology.profiles[gateway.profile].service
    if service.manager is ServiceManager.SYSTEMD:
        return "systemctl", ["systemctl", "start", fill(service.unit or "", gateway)]
    return "command", [fill(word, gateway) for word in service.start or ()]

"""The example site's hosts installed in a folder, their gateways as real processes, and the exchange beside them."""

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from orchestrator.model.topology import Gateway, Topology, fill
from orchestrator.twin.exchange import Exchange
from orchestrator.twin.programs.process import ROOM
from orchestrator.twin.service_shim import install
from tests.sim.loopback import ROOT, in_centre, line_of, read_status, run, site, until


def _active() -> Topology:
    """The example without cold standbys: in one folder, what starts a number would start both of its gateways."""
    whole = site()
    data = whole.model_dump(mode="json", by_alias=True)
    return Topology.model_validate({**data, "gateways": [item for item in data["gateways"] if item["enabled"]]})


SITE = _active()


def vendor_file() -> Any:
    spec = importlib.util.spec_from_file_location("vendor_file", ROOT / "playbooks" / "onhost" / "vendor_file.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class World:
    """All hosts of the example share one folder here: their gateways' paths differ by id."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.owned = {path for host in SITE.hosts for path in install(root, SITE, host.id)}
        self.exchange = Exchange(SITE, in_centre, line_of, root / "exchange")
        self._nursery = _nursery(root)

    def command(self, gateway: Gateway, verb: str) -> list[str]:
        service = SITE.profiles[gateway.profile].service
        if service.unit:
            return [f"{self.root}/usr/bin/systemctl", verb, fill(service.unit, gateway)]
        words = (service.start if verb == "start" else service.stop) or ()
        return [f"{self.root}{words[0]}", *(fill(word, gateway) for word in words[1:])]

    async def start(self, *names: str) -> None:
        for name in names:
            done = await run(*self.command(SITE.gateway[name], "start"))
            assert done.returncode == 0, done.stderr

    async def stop(self, name: str) -> None:
        done = await run(*self.command(SITE.gateway[name], "stop"))
        assert done.returncode == 0, done.stderr

    def settings_file(self, name: str) -> Path:
        return self.root / f"etc/drillctl-twin/gateway-{name}.json"

    def settings(self, name: str) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.settings_file(name).read_text(encoding="utf-8"))
        return data

    def path(self, name: str, what: str) -> Path:
        return Path(f"{self.root}{self.settings(name)[what]['path']}")

    def status(self, name: str) -> dict[str, Any]:
        return read_status(self.path(name, "status"))

    def log(self, name: str) -> str:
        path = self.path(name, "log")
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def end(self) -> None:
        """The host's own processes; not the gateways'."""
        with self._nursery:
            self._nursery.kill()

    def pid(self, name: str) -> int:
        return int((self.path(name, "status").parent / f"gateway-{name}.pid").read_text())

    def command_line(self, name: str) -> str:
        return Path(f"/proc/{self.pid(name)}/cmdline").read_bytes().replace(b"\0", b" ").decode()

    def owner(self, name: str) -> int:
        return Path(f"/proc/{self.pid(name)}").stat().st_uid

    def waits_for_its_logout(self, name: str) -> bool:
        """Whether what the gateway said last lies unread at its front."""
        front = SITE.front[SITE.gateway[name].servers[0]]
        local = f"{int.from_bytes(front.address.packed, 'little'):08X}:{front.port:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return any(row[1] == local and int(row[4].split(":")[1], 16) > 0 for row in rows)

    def pids(self) -> list[int]:
        """Every gateway process of this world, found by its settings file."""
        mine = f"{self.root}/etc/drillctl-twin/gateway-".encode()
        found = []
        for folder in Path("/proc").iterdir():
            try:
                arguments = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdigit() else []
            except OSError:
                continue
            found += [int(folder.name)] if any(word.startswith(mine) for word in arguments) else []
        return found

    def second_process(self, name: str) -> "subprocess.Popen[bytes]":
        """What must never happen: the same gateway once more, past the shim that would see it running."""
        program = str(ROOT / "orchestrator/twin/programs/gateway.py")
        return subprocess.Popen([sys.executable, program, str(self.settings_file(name)), "second-process"], cwd=ROOT)

    async def logged_in(self, name: str, front: str) -> None:
        endpoint = SITE.front[front].endpoint
        wanted = self.settings(name)["status"]
        await until(
            lambda: (
                self.status(name).get("endpoint") == endpoint
                and self.status(name)[wanted["logged_in_key"]] == wanted["logged_in_value"]
            ),
            f"{name} logged in at {front}",
        )


def _nursery(root: Path) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", "orchestrator.twin.programs.nursery", str(root), ROOM]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(1), "the nursery did not begin"
    return process


def play(story: Callable[[World], Awaitable[None]], root: Path) -> None:
    """Run a story with the exchange up; whatever gateway still runs afterwards is killed by its process id."""

    async def whole() -> None:
        world = World(root)
        await world.exchange.start()
        try:
            await story(world)
        finally:
            for pid in world.pids():
                os.kill(pid, signal.SIGKILL)
            await until(lambda: not world.pids(), "every gateway is gone")
            await world.exchange.stop()
            world.end()

    asyncio.run(whole())

"""The example site on this machine's loopback, with addresses of this test process only, and quick timers."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from orchestrator.loader.site import load_site
from orchestrator.model.topology import Topology

ROOT = Path(__file__).parents[2]
NET = 1 + os.getpid() % 250  # two test processes at once do not meet
PATIENCE_S = 15.0


def site() -> Topology:
    """The example with a heartbeat of 1 s, a session timeout of 2 s and a connect timeout of 1 s."""
    data = load_site(ROOT / "inventory" / "example").topology.model_dump(by_alias=True)
    data["site"]["session_timeout_s"] = 2
    for profile in data["profiles"].values():
        profile |= {"heartbeat_s": 1, "connect_timeout_s": 1}
    for index, centre in enumerate(data["centres"], 1):
        centre["network"] = f"127.{NET}.{index}.0/24"
        for front in data["fronts"]:
            if front["centre"] == centre["id"]:
                front["address"] = f"127.{NET}.{index}.{str(front['address']).rpartition('.')[2]}"
                front["group"] = front["group"] and f"239.{NET}.{index}.{str(front['group']).rpartition('.')[2]}"
    for index, room in enumerate(data["rooms"], 101):
        room["network"] = f"127.{NET}.{index}.0/24"
        for item in (*data["hosts"], *data["routers"]):
            if item["room"] == room["id"]:
                item["site_address"] = f"127.{NET}.{index}.{str(item['site_address']).rpartition('.')[2]}"
    return Topology.model_validate(data)


def in_centre(_centre: str) -> AbstractContextManager[None]:
    return nullcontext()


def line_of(centre: str, _source: str, _port: int) -> str | None:
    return f"line-to-{centre}"


async def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until it is so."""
    deadline = asyncio.get_running_loop().time() + patience_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"waited {patience_s} s in vain: {what}"
        await asyncio.sleep(0.02)


async def run(*argv: str | Path, user: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program of the simulated host, as another user if root is asked to; the event loop goes on meanwhile."""
    words = [str(word) for word in argv]

    def blocking() -> subprocess.CompletedProcess[str]:
        groups: list[int] | None = None if user is None else []
        return subprocess.run(
            words, capture_output=True, text=True, timeout=30, check=False, user=user, group=user, extra_groups=groups
        )

    return await asyncio.to_thread(blocking)


def read_status(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    return dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())

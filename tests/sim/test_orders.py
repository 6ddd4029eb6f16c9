import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.twin.wire import Heartbeat, Logon, Logout, Message, framing
from tests.sim.installed import World, play
from tests.sim.loopback import until

FRONTS = ["sse-one-trading", "sse-two-trading"]
LOGON = Logon("OMS", 1)


class OrderSystem:
    """Connects to a gateway's order port as the firm's order system does."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._framing = framing("tdgw")

    async def ask(self, message: Message) -> Message:
        """Say something; give back the first answer."""
        self._socket.sendall(self._framing.encode(message))
        return await asyncio.to_thread(self.next)

    def next(self) -> Message:
        found: list[Message] = []
        while not found:
            data = self._socket.recv(4096)
            assert data, "the gateway closed without a word"
            found = self._framing.feed(data)
        return found[0]


@contextmanager
def order_system(world: World) -> Iterator[OrderSystem]:
    settings = world.settings("sse-td-1")
    with socket.create_connection((settings["address"], settings["order_port"]), timeout=5) as connection:
        yield OrderSystem(connection)


def test_a_logon_is_not_accepted_before_the_gateway_is_logged_in_itself(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.exchange.set_manner(FRONTS, "refuse")
        await world.start("sse-td-1")
        await until(lambda: "cannot connect" in world.log("sse-td-1"), "it has tried")
        with order_system(world) as orders:
            assert await orders.ask(LOGON) == Logout(5006, "not ready")

    play(story, tmp_path)


def test_one_order_system_is_served_and_a_second_is_refused(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("sse-td-1")
        await world.logged_in("sse-td-1", "sse-one-trading")
        with order_system(world) as first:
            assert await first.ask(LOGON) == LOGON
            with order_system(world) as second:
                assert await asyncio.to_thread(second.next) == Logout(5003, "only one connection")
            assert await asyncio.to_thread(first.next) == Heartbeat()
        with order_system(world) as third:
            assert await third.ask(LOGON) == LOGON

    play(story, tmp_path)


def test_the_order_system_is_told_when_the_gateway_loses_the_exchange(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("sse-td-1")
        await world.logged_in("sse-td-1", "sse-one-trading")
        with order_system(world) as orders:
            assert await orders.ask(LOGON) == LOGON
            world.exchange.set_manner(FRONTS, "refuse")
            assert await asyncio.to_thread(orders.next) == Logout(5006, "not ready")

    play(story, tmp_path)


def test_two_gateways_of_a_host_with_one_order_port_both_run(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        file = world.settings_file("sse-md-1")
        file.write_text(file.read_text().replace('"order_port": null', '"order_port": 8018'))
        await world.start("sse-td-1")
        await world.logged_in("sse-td-1", "sse-one-trading")
        await world.start("sse-md-1")
        await world.logged_in("sse-md-1", "sse-one-market")
        assert "order port 8018 not opened: Address already in use" in world.log("sse-md-1")

    play(story, tmp_path)

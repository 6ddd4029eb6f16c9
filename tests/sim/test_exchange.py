import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.twin.exchange import Exchange
from orchestrator.twin.registry import Policy
from orchestrator.twin.wire import (
    Framing,
    Heartbeat,
    Logon,
    Logout,
    MarketData,
    Message,
    WireError,
    fingerprint,
    framing,
)
from tests.sim.loopback import in_centre, line_of, site, until

SITE = site()
TRADE_1 = Logon("W100200", 1, fingerprint("nq-trade-1-file"), "instance-1")
TRADE_2 = Logon("W100201", 1, fingerprint("nq-trade-2-file"), "instance-2")
MARKET = Logon("W100210", 1, fingerprint("nq-md-1-file"), "instance-3")


@dataclass
class Client:
    """A gateway that does what a test says and nothing by itself."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    framing: Framing
    waiting: list[Message] = field(default_factory=list)

    async def next(self) -> Message:
        while not self.waiting:
            async with asyncio.timeout(10):
                data = await self.reader.read(4096)
            if not data:
                raise EOFError
            self.waiting += self.framing.feed(data)
        return self.waiting.pop(0)

    async def say(self, message: Message) -> None:
        self.writer.write(self.framing.encode(message))
        await self.writer.drain()

    async def log_on(self, logon: Logon) -> Message:
        await self.say(logon)
        return await self.next()

    async def ends(self) -> bool:
        """Whether the front resets the connection, whatever it still said."""
        try:
            while True:
                await self.next()
        except ConnectionResetError:
            return True
        except EOFError:
            return False


class Connect:
    """Connects to a front from the host of a gateway, and closes what a story left open."""

    def __init__(self) -> None:
        self._writers: list[asyncio.StreamWriter] = []

    async def __call__(self, front_id: str, source: str = "nq-trade-1") -> Client:
        front = SITE.front[front_id]
        own = str(SITE.host[SITE.gateway[source].host].site_address)
        reader, writer = await asyncio.open_connection(str(front.address), front.port, local_addr=(own, 0))
        self._writers.append(writer)
        return Client(reader, writer, framing(front.service))

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


Story = Callable[[Exchange, Connect], Awaitable[None]]


def play(story: Story, folder: Path, policy: Policy = Policy.REFUSE_NEW) -> None:
    async def whole() -> None:
        exchange, connect = Exchange(SITE, in_centre, line_of, folder, policy, lambda _instance: True), Connect()
        await exchange.start()
        try:
            await story(exchange, connect)
        finally:
            await connect.close()
            await exchange.stop()

    asyncio.run(whole())


def test_a_logon_is_answered_kept_alive_and_recorded_with_its_gateway_and_line(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        gateway = await connect("futian-trading")
        assert await gateway.log_on(TRADE_1) == TRADE_1
        assert isinstance(await gateway.next(), Heartbeat)
        truth = exchange.truth()
        login = truth["logins"][0]
        assert (login["gateway"], login["line"], login["certificate"]) == (
            "nq-trade-1",
            "line-to-futian",
            "nq-trade-1-file",
        )
        assert truth["current"]["W100200"]["front"] == "futian-trading"

    play(story, tmp_path)


def test_the_number_is_refused_at_the_other_centre_and_free_after_logout(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        first, second = await connect("futian-trading"), await connect("southern-trading", "nq-trade-2")
        await first.log_on(TRADE_1)
        refusal = await second.log_on(TRADE_1._replace(instance="other"))
        assert refusal == Logout(13328, "number W100200 is logged in at futian-trading")
        assert not await second.ends()
        await first.say(Logout(0))
        assert isinstance(await first.next(), Logout)
        third = await connect("southern-trading", "nq-trade-2")
        assert isinstance(await third.log_on(TRADE_1._replace(instance="other")), Logon)
        truth = exchange.truth()
        assert (truth["duplicates"], [item["how"] for item in truth["logouts"]]) == (1, ["logout"])

    play(story, tmp_path)


@pytest.mark.parametrize(
    ("front", "logon", "reason"),
    [
        ("futian-trading", TRADE_1._replace(number="W999999"), "unknown number W999999"),
        ("futian-market", TRADE_1, "unknown number W100200"),
        ("futian-trading", TRADE_1._replace(certificate="0" * 16), "unknown certificate"),
        ("futian-settlement", Logon("W100231", 1, protocol="gm"), "protocol gm at a front for standard"),
        ("futian-settlement-gm", Logon("W100230", 1), "protocol standard at a front for gm"),
        ("futian-trading", TRADE_1._replace(heartbeat_s=0), "heartbeat interval missing"),
    ],
)
def test_a_logon_that_is_wrong_in_itself_is_rejected(tmp_path: Path, front: str, logon: Logon, reason: str) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        assert await (await connect(front)).log_on(logon) == Logout(1000, reason)
        assert [item["kind"] for item in exchange.truth()["logins"]] == ["rejected"]

    play(story, tmp_path)


def test_a_silent_gateway_is_forgotten_after_the_session_timeout(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        gateway = await connect("futian-trading")
        await gateway.log_on(TRADE_1)
        assert await gateway.ends()
        truth = exchange.truth()
        lived_s = truth["logouts"][0]["at"] - truth["logins"][0]["at"]
        assert truth["logouts"][0]["how"] == "timeout"
        assert lived_s == pytest.approx(2, abs=0.01)

    play(story, tmp_path)


def test_heartbeats_keep_a_session_beyond_its_timeout(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        gateway = await connect("futian-trading")
        await gateway.log_on(TRADE_1)
        for _ in range(3):
            assert isinstance(await gateway.next(), Heartbeat)
            await gateway.say(Heartbeat())
        assert exchange.truth()["logouts"] == []

    play(story, tmp_path)


def test_a_connection_without_a_logon_is_reset_after_five_seconds(tmp_path: Path) -> None:
    async def story(_exchange: Exchange, connect: Connect) -> None:
        gateway = await connect("futian-trading")
        began = asyncio.get_running_loop().time()
        assert await gateway.ends()
        assert asyncio.get_running_loop().time() - began == pytest.approx(5, abs=0.5)

    play(story, tmp_path)


def test_bytes_that_are_no_message_reset_the_connection_and_end_the_session(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        gateway = await connect("futian-trading")
        await gateway.log_on(TRADE_1)
        gateway.writer.write(b"\xff" * 64)
        assert await gateway.ends()
        assert [item["how"] for item in exchange.truth()["logouts"]] == ["closed"]

    play(story, tmp_path)


def test_a_closed_connection_ends_its_session_at_once(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        gateway = await connect("futian-trading")
        await gateway.log_on(TRADE_1)
        gateway.writer.close()
        await until(lambda: exchange.truth()["current"] == {}, "the session ended", 1)
        assert [item["how"] for item in exchange.truth()["logouts"]] == ["closed"]

    play(story, tmp_path)


def test_kick_old_tells_the_one_that_is_thrown_out(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        first, second = await connect("futian-trading"), await connect("southern-trading", "nq-trade-2")
        await first.log_on(TRADE_1)
        assert isinstance(await second.log_on(TRADE_1._replace(instance="other")), Logon)
        assert await first.next() == Logout(19354, "logged in elsewhere")
        assert exchange.truth()["duplicates"] == 1

    play(story, tmp_path, Policy.KICK_OLD)


def test_a_hanging_front_accepts_connects_and_never_answers(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        inside = await connect("futian-trading")
        await inside.log_on(TRADE_1)
        exchange.set_manner(["futian-trading"], "hang")
        late = await connect("futian-trading", "nq-trade-2")
        await late.say(TRADE_2)
        mute = await connect("futian-trading", "nq-trade-2")
        await until(lambda: exchange.truth()["current"] == {}, "the registry forgot the session")
        assert inside.reader.at_eof() is False
        assert [item["number"] for item in exchange.truth()["logins"]] == ["W100200"]
        exchange.set_manner(["futian-trading"], None)
        assert await inside.ends()
        assert await late.ends()
        assert await mute.ends()
        assert isinstance(await (await connect("futian-trading")).log_on(TRADE_1), Logon)
        assert [item["kind"] for item in exchange.truth()["logins"]] == ["login", "login"]

    play(story, tmp_path)


@pytest.mark.parametrize("message", [Heartbeat(), Logout(0)])
def test_a_hanging_front_hears_nothing_so_its_sessions_run_out(tmp_path: Path, message: Message) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        gateway = await connect("futian-trading")
        await gateway.log_on(TRADE_1)
        exchange.set_manner(["futian-trading"], "hang")
        async with asyncio.timeout(5):
            while exchange.truth()["current"]:
                await gateway.say(message)
                await asyncio.sleep(0.1)
        assert [item["how"] for item in exchange.truth()["logouts"]] == ["timeout"]

    play(story, tmp_path)


def test_a_session_outlives_a_hang_that_is_shorter_than_its_timeout(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        gateway = await connect("futian-trading")
        await gateway.log_on(TRADE_1)
        exchange.set_manner(["futian-trading"], "dark")
        await gateway.say(Heartbeat())
        exchange.set_manner(["futian-trading"], None)
        assert isinstance(await gateway.next(), Heartbeat)
        assert "W100200" in exchange.truth()["current"]

    play(story, tmp_path)


def test_a_refusing_front_resets_its_sessions_and_every_connect(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        gateway = await connect("futian-trading")
        await gateway.log_on(TRADE_1)
        exchange.set_manner(["futian-trading"], "refuse")
        assert await gateway.ends()
        with pytest.raises(ConnectionRefusedError):
            await connect("futian-trading")
        assert isinstance(await (await connect("southern-trading")).log_on(TRADE_1), Logon)
        exchange.set_manner(["futian-trading"], None)
        assert isinstance(await (await connect("futian-trading", "nq-trade-2")).log_on(TRADE_2), Logon)
        assert exchange.truth()["duplicates"] == 0

    play(story, tmp_path)


@pytest.mark.parametrize("first", ["hang", "refuse"])
@pytest.mark.parametrize("second", ["dark", "refuse"])
def test_one_manner_may_follow_another_and_all_is_well_afterwards(tmp_path: Path, first: str, second: str) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        for manner in (first, second, None):
            exchange.set_manner(["futian-trading"], manner)  # type: ignore[arg-type] # the literals come in as str
        assert isinstance(await (await connect("futian-trading")).log_on(TRADE_1), Logon)

    play(story, tmp_path)


def test_market_data_goes_on_at_the_other_centre_where_this_one_left_it(tmp_path: Path) -> None:
    async def story(_exchange: Exchange, connect: Connect) -> None:
        seen: list[int] = []
        for front in ("futian-market", "southern-market"):
            gateway = await connect(front, "nq-md-1")
            assert isinstance(await gateway.log_on(MARKET), Logon)
            wanted = len(seen) + 3
            while len(seen) < wanted:
                message = await gateway.next()
                seen += [message.sequence] if isinstance(message, MarketData) else []
            await gateway.say(Logout(0))
            while not isinstance(await gateway.next(), Logout):
                pass
        steps = [after - before for before, after in pairwise(seen)]
        assert all(step >= 1 for step in steps)
        assert steps[:2] == steps[3:] == [1, 1]

    play(story, tmp_path)


def test_multicast_comes_from_the_front_s_address_and_stops_when_it_is_dark(tmp_path: Path) -> None:
    front = SITE.front["futian-multicast"]

    async def story(exchange: Exchange, _connect: Connect) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as group:
            group.setblocking(False)
            group.bind((str(front.group), front.port))
            host = SITE.host["gw-a3"].site_address
            membership = socket.inet_aton(str(front.group)) + host.packed
            group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            seen = []
            for _ in range(3):
                data, sender = await asyncio.wait_for(loop.sock_recvfrom(group, 4096), 5)
                assert sender[0] == str(front.address)
                seen += framing(front.service).feed(data)
            first = seen[0]
            assert isinstance(first, MarketData)
            assert seen == [MarketData(first.sequence + step) for step in range(3)]
            exchange.set_manner([front.id], "dark")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(loop.sock_recvfrom(group, 4096), 1)

    play(story, tmp_path)


def test_every_login_and_its_end_is_in_the_log_at_once(tmp_path: Path) -> None:
    async def story(_exchange: Exchange, connect: Connect) -> None:
        gateway = await connect("futian-trading")
        await gateway.log_on(TRADE_1)
        await gateway.say(Logout(0))
        await gateway.next()
        lines = [json.loads(line) for line in (tmp_path / "exchange.jsonl").read_text().splitlines()]
        assert [(line["event"], line["number"]) for line in lines] == [("login", "W100200"), ("logout", "W100200")]

    play(story, tmp_path)


def test_an_address_that_is_taken_is_named_and_nothing_stays_open(tmp_path: Path) -> None:
    async def story() -> None:
        last = SITE.fronts[-1]
        exchange = Exchange(SITE, in_centre, line_of, tmp_path)
        with (
            socket.create_server((str(last.address), last.port)),
            pytest.raises(OSError, match=f"front {last.id} at {last.address}:{last.port}"),
        ):
            await exchange.start()
        with pytest.raises(ConnectionRefusedError):
            await Connect()("futian-trading")

    asyncio.run(story())


def test_the_format_of_another_service_is_not_understood(tmp_path: Path) -> None:
    async def story(exchange: Exchange, connect: Connect) -> None:
        front = SITE.front["sse-one-trading"]
        gateway = await connect(front.id, "sse-td-1")
        gateway.framing = framing("trading")
        await gateway.say(TRADE_1)
        await gateway.say(TRADE_1)
        with pytest.raises((ConnectionResetError, EOFError, WireError)):
            await gateway.next()
        assert exchange.truth()["logins"] == []

    play(story, tmp_path)

import os
import re
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest

from orchestrator.model.topology import fill
from tests.sim.installed import SITE, World, play, vendor_file
from tests.sim.loopback import until

FUTIAN, SOUTHERN = SITE.front["futian-trading"].endpoint, SITE.front["southern-trading"].endpoint


def test_every_gateway_of_the_example_logs_in_at_its_first_server_and_out_again(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start(*SITE.gateway)
        for gateway in SITE.gateways:
            await world.logged_in(gateway.id, gateway.servers[0])
        truth = world.exchange.truth()
        lists = {gateway.number: gateway.servers[0] for gateway in SITE.gateways}
        held = {number: item["front"] for number, item in truth["current"].items()}
        received = {number: item["source_front"] for number, item in truth["receiving"].items()}
        assert held | received == lists
        assert {item["gateway"] for item in truth["logins"]} == {
            gateway.id for gateway in SITE.gateways if not gateway.receives_only
        }
        for gateway in SITE.gateways:
            await world.stop(gateway.id)
        truth = world.exchange.truth()
        assert world.pids() == []
        assert {item["how"] for item in truth["logouts"]} == {"logout"}
        assert (truth["duplicates"], truth["half_open_retries"], truth["current"]) == (0, 0, {})

    play(story, tmp_path)


def test_the_log_says_what_happened_in_the_profile_s_words_and_time(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        before = time.time()
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "futian-trading")
        await world.stop("nq-trade-1")
        lines = [
            re.fullmatch(r"(\S+ \S+) (.*)", line).groups()  # type: ignore[union-attr] # a mismatch is a failure
            for line in world.log("nq-trade-1").splitlines()
        ]
        assert [text for _, text in lines] == [
            f"connected to main station {FUTIAN}",
            f"logon accepted by {FUTIAN}",
            f"logged out of {FUTIAN}",
        ]
        stamps = [datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S.%f").astimezone().timestamp() for stamp, _ in lines]
        assert before <= stamps[0] <= stamps[1] <= stamps[2] <= time.time()
        assert world.status("nq-trade-1")["logged_in"] == "no"

    play(story, tmp_path)


@pytest.mark.parametrize("name", ["nq-trade-1", "sse-td-1", "nq-mc-1"])
def test_the_process_is_found_by_the_profile_s_text(tmp_path: Path, name: str) -> None:
    gateway = SITE.gateway[name]

    async def story(world: World) -> None:
        await world.start(name)
        assert fill(SITE.profiles[gateway.profile].service.process, gateway) in world.command_line(name)

    play(story, tmp_path)


def test_a_refused_connection_moves_to_the_next_server_at_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "futian-trading")
        world.exchange.set_manner(["futian-trading"], "refuse")
        began = time.monotonic()
        await world.logged_in("nq-trade-1", "southern-trading")
        assert time.monotonic() - began < 0.5
        assert f"connection to {FUTIAN} lost: " in world.log("nq-trade-1")
        assert world.exchange.truth()["duplicates"] == 0

    play(story, tmp_path)


def test_a_hanging_front_is_left_after_two_silent_intervals_without_a_duplicate(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "futian-trading")
        world.exchange.set_manner(["futian-trading"], "hang")
        await world.logged_in("nq-trade-1", "southern-trading")
        assert f"connection to {FUTIAN} lost: nothing heard for 2 s" in world.log("nq-trade-1")
        truth = world.exchange.truth()
        assert (truth["duplicates"], truth["current"]["W100200"]["front"]) == (0, "southern-trading")
        world.exchange.set_manner(["futian-trading"], None)
        await until(lambda: len(world.exchange.truth()["logouts"]) == 1, "one end of the first session")
        assert world.exchange.truth()["duplicates"] == 0

    play(story, tmp_path)


def test_a_server_that_accepts_and_never_answers_costs_one_connect_timeout(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.exchange.set_manner(["futian-trading"], "hang")
        began = time.monotonic()
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "southern-trading")
        assert 1 <= time.monotonic() - began < 2
        assert f"connection to {FUTIAN} lost: no answer" in world.log("nq-trade-1")

    play(story, tmp_path)


def test_a_gateway_tries_its_list_again_and_again(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        both = ["futian-trading", "southern-trading"]
        world.exchange.set_manner(both, "refuse")
        await world.start("nq-trade-1")
        await until(lambda: world.log("nq-trade-1").count(f"cannot connect to {SOUTHERN}") == 2, "two rounds")
        assert world.status("nq-trade-1") == {"logged_in": "no", "endpoint": ""}
        world.exchange.set_manner(both, None)
        await world.logged_in("nq-trade-1", "futian-trading")

    play(story, tmp_path)


def test_a_logout_that_is_not_acknowledged_is_not_claimed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "futian-trading")
        world.exchange.set_manner(["futian-trading"], "hang")
        began = time.monotonic()
        await world.stop("nq-trade-1")
        assert 1 <= time.monotonic() - began < 2.5
        assert "logged out" not in world.log("nq-trade-1")

    play(story, tmp_path)


def test_a_logout_that_is_answered_with_a_reset_is_not_claimed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "futian-trading")
        world.exchange.set_manner(["futian-trading"], "hang")
        os.kill(world.pid("nq-trade-1"), signal.SIGTERM)
        await until(lambda: world.waits_for_its_logout("nq-trade-1"), "the logout was sent")
        world.exchange.set_manner(["futian-trading"], "refuse")
        await until(lambda: not world.pids(), "it is gone", 0.5)
        assert "logged out" not in world.log("nq-trade-1")

    play(story, tmp_path)


def test_a_second_process_on_the_host_is_counted_and_refused_while_the_first_stays(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "futian-trading")
        since = world.exchange.truth()["current"]["W100200"]["since"]
        with world.second_process("nq-trade-1") as second:
            await until(lambda: world.exchange.truth()["duplicates"] == 1, "the duplicate")
            second.kill()
        truth = world.exchange.truth()
        assert truth["current"]["W100200"]["since"] == since
        assert "logon refused by " in world.log("nq-trade-1")

    play(story, tmp_path)


def test_a_frozen_process_that_wakes_up_after_the_number_moved_is_a_duplicate(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "futian-trading")
        os.kill(world.pid("nq-trade-1"), signal.SIGSTOP)
        await until(lambda: world.exchange.truth()["current"] == {}, "the front forgot the frozen gateway")
        with world.second_process("nq-trade-1") as second:
            await until(lambda: "W100200" in world.exchange.truth()["current"], "the number moved")
            assert world.exchange.truth()["duplicates"] == 0
            os.kill(world.pid("nq-trade-1"), signal.SIGCONT)
            await until(lambda: world.exchange.truth()["duplicates"] == 1, "the old one tried again")
            second.kill()

    play(story, tmp_path)


def test_a_restart_within_a_hang_meets_its_own_dead_process_as_a_half_open_retry(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "futian-trading")
        world.exchange.set_manner(["futian-trading"], "hang")
        os.kill(world.pid("nq-trade-1"), signal.SIGKILL)
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "southern-trading")
        truth = world.exchange.truth()
        assert truth["half_open_retries"] >= 1
        assert truth["duplicates"] == 0

    play(story, tmp_path)


def test_a_certificate_of_another_gateway_is_a_shared_certificate(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-trade-1")
        await world.logged_in("nq-trade-1", "futian-trading")
        theirs = world.settings("nq-trade-1")["certificate"]
        file = world.settings_file("nq-trade-2")
        file.write_text(file.read_text().replace(world.settings("nq-trade-2")["certificate"], theirs))
        await world.start("nq-trade-2")
        await until(lambda: world.exchange.truth()["shared_certificates"] == 1, "the shared certificate")
        assert "W100201" not in world.exchange.truth()["current"]

    play(story, tmp_path)


def test_a_changed_list_is_used_after_a_restart(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-md-1")
        await world.logged_in("nq-md-1", "futian-market")
        file, spec = world.path("nq-md-1", "config"), world.settings("nq-md-1")["config"]
        wanted = [SITE.front["beijing-market"].endpoint]
        file.write_bytes(vendor_file().write_endpoints(file.read_bytes(), spec, wanted))
        await world.stop("nq-md-1")
        await world.start("nq-md-1")
        await world.logged_in("nq-md-1", "beijing-market")

    play(story, tmp_path)


def test_the_last_sequence_is_kept_in_the_status_file_as_it_grows(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-md-1")
        await until(lambda: "last_sequence" in world.status("nq-md-1"), "a sequence")
        first = int(world.status("nq-md-1")["last_sequence"])
        await until(lambda: int(world.status("nq-md-1")["last_sequence"]) >= first + 3, "three more", 2)

    play(story, tmp_path)


@pytest.mark.slow
def test_a_receiver_changes_its_source_after_silence_and_does_not_go_back_by_itself(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-mc-1")
        await world.logged_in("nq-mc-1", "futian-multicast")
        world.exchange.set_manner(["futian-multicast"], "dark")
        await world.logged_in("nq-mc-1", "southern-multicast")
        world.exchange.set_manner(["futian-multicast"], None)
        world.exchange.set_manner(["southern-multicast", "satellite-multicast"], "dark")
        await world.logged_in("nq-mc-1", "futian-multicast")
        assert world.log("nq-mc-1").count(" lost: nothing heard for 3 s") == 2
        world.exchange.set_manner(["futian-multicast"], "dark")
        await until(lambda: world.status("nq-mc-1")["receiving"] == "no", "nothing is received")
        assert world.exchange.truth()["receiving"]["W100220"] == {"source_front": None}
        world.exchange.set_manner(["satellite-multicast"], None)
        await world.logged_in("nq-mc-1", "satellite-multicast")
        world.exchange.set_manner(["futian-multicast", "southern-multicast"], None)
        sequence = int(world.status("nq-mc-1")["last_sequence"])
        await until(lambda: int(world.status("nq-mc-1")["last_sequence"]) > sequence + 5, "a second of data")
        assert world.exchange.truth()["receiving"]["W100220"] == {"source_front": "satellite-multicast"}

    play(story, tmp_path)


def test_a_frozen_receiver_receives_nothing_whatever_its_status_file_says(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.start("nq-mc-1")
        await world.logged_in("nq-mc-1", "futian-multicast")
        assert world.exchange.truth()["receiving"]["W100220"] == {"source_front": "futian-multicast"}
        os.kill(world.pid("nq-mc-1"), signal.SIGSTOP)
        await until(lambda: world.exchange.truth()["receiving"]["W100220"]["source_front"] is None, "noticed", 3)
        assert world.status("nq-mc-1")["receiving"] == "yes"

    play(story, tmp_path)


def test_a_blocked_gateway_exits_at_once_and_says_so(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        (tmp_path / "etc/drillctl-twin/block-nq-trade-1").touch()
        await world.start("nq-trade-1")
        await until(lambda: not world.pids(), "it is gone")
        assert world.log("nq-trade-1").endswith("start refused: blocked\n")
        assert world.exchange.truth()["logins"] == []

    play(story, tmp_path)


def test_a_vendor_file_that_cannot_be_read_stops_the_start_with_its_reason(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.path("nq-trade-1", "config").write_text("[Nothing]\n")
        await world.start("nq-trade-1")
        await until(lambda: not world.pids(), "it is gone")
        assert "cannot start: expected key Server{n} in section [MainStation]" in world.log("nq-trade-1")

    play(story, tmp_path)

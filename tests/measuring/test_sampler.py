"""The sampler over real sshd: what gateways do is heard, recorded, and survives lost connections."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.adapters.recording import read_observations
from orchestrator.adapters.sampler import Sampler
from orchestrator.model.event import Sample
from tests.measuring.lab import ONHOST, Lab, eventually


@contextmanager
def sampling(lab: Lab, interval_ms: int = 100) -> Iterator[Sampler]:
    sampler = Sampler(lab.site, lab.ssh, ONHOST, lab.folder, interval_ms).start()
    try:
        yield sampler
    finally:
        sampler.stop()


def at(sampler: Sampler, gateway: str) -> Sample | None:
    return sampler.latest().get(gateway)


def has_stopped(sampler: Sampler, gateway: str) -> bool:
    sample = at(sampler, gateway)
    return sample is not None and not sample.running


def session(sampler: Sampler, gateway: str) -> str | None:
    sample = at(sampler, gateway)
    return sample.session if sample else None


def test_a_failover_is_heard_as_it_happens_and_is_recorded_the_same(measured: Lab) -> None:
    measured.host("gw-a1")
    futian = measured.front("futian-trading")
    measured.front("southern-trading")
    measured.gateway("nq-trade-1")
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: session(sampler, "nq-trade-1") == measured.endpoint("futian-trading"), 10)
        measured.end(futian)
        assert sampler.wait_for(lambda: session(sampler, "nq-trade-1") == measured.endpoint("southern-trading"), 10)
        seen = sampler.observations()
    assert [stamp.event for stamp in seen.stamps][-3:] == ["lost", "connected", "logged_in"]
    recorded = read_observations(measured.folder / "samples.jsonl")
    assert list(recorded.samples)[: len(seen.samples)] == list(seen.samples)
    assert list(recorded.stamps)[: len(seen.stamps)] == list(seen.stamps)


def test_routers_and_hosts_are_watched_side_by_side(measured: Lab) -> None:
    for name in ("gw-a1", "ce-a"):
        measured.host(name)
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: bool(at(sampler, "nq-trade-1")) and "ce-a" in sampler.latest_routes(), 10)
        lines = sampler.latest_routes()["ce-a"].lines
    assert lines == dict.fromkeys(measured.topology.router["ce-a"].paths)  # this machine has none of the lines


def test_a_frozen_host_shows_as_missing_samples_and_is_heard_again(measured: Lab) -> None:
    frozen = measured.host("gw-a1")
    measured.host("gw-a3")
    measured.front("futian-trading")
    gateway = measured.gateway("nq-trade-1")
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: {"nq-trade-1", "nq-md-1"} <= set(sampler.latest()), 10)
        frozen.freeze()
        last = at(sampler, "nq-trade-1")
        gateway.close()
        assert last is not None
        assert sampler.wait_for(lambda: sampler.latest()["nq-md-1"].mono > last.mono + 6, 10)  # others go on
        assert at(sampler, "nq-trade-1") is None, "what it said last is no longer the newest"
        assert '"lost","reason":"nothing heard' in (measured.folder / "samples.jsonl").read_text()
        frozen.thaw()
        assert sampler.wait_for(lambda: has_stopped(sampler, "nq-trade-1"), 15)


def test_what_a_log_said_while_the_connection_was_lost_is_heard_once(measured: Lab) -> None:
    host = measured.host("gw-a1")
    gateway = measured.gateway("nq-trade-1", "futian-trading")
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: at(sampler, "nq-trade-1") is not None, 10)
        host.close()
        measured.front("futian-trading")
        assert eventually(gateway.logged_in)
        measured.host("gw-a1")
        assert sampler.wait_for(lambda: session(sampler, "nq-trade-1") == measured.endpoint("futian-trading"), 15)
        events = [stamp.event for stamp in sampler.observations().stamps]
    assert events == ["connected", "logged_in"]


def test_what_a_log_said_just_before_the_connection_was_lost_is_not_heard_again(measured: Lab) -> None:
    host = measured.host("gw-a1")
    gateway = measured.gateway("nq-trade-1", "futian-trading")
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: at(sampler, "nq-trade-1") is not None, 10)
        measured.front("futian-trading")
        assert sampler.wait_for(lambda: session(sampler, "nq-trade-1") == measured.endpoint("futian-trading"), 10)
        host.close()
        gateway.close()
        measured.host("gw-a1")
        assert sampler.wait_for(lambda: has_stopped(sampler, "nq-trade-1"), 15)
    recorded = read_observations(measured.folder / "samples.jsonl")
    assert [stamp.event for stamp in recorded.stamps] == ["connected", "logged_in"]
    assert list(recorded.stamps) == list(sampler.observations().stamps)


def test_a_host_with_another_key_is_not_talked_to(measured: Lab) -> None:
    measured.host("gw-a1")
    text = (measured.folder / "known_hosts").read_text()
    (measured.folder / "known_hosts").write_text(text.replace(".1.11]", ".1.99]"))
    with sampling(measured) as sampler:
        refused = eventually(lambda: "gw-a1" in (measured.folder / "samples.jsonl").read_text())
        assert refused
        assert not sampler.latest()
    assert "not found in known_hosts" in (measured.folder / "samples.jsonl").read_text()


def test_stopping_takes_a_bounded_time_even_while_a_host_hangs(measured: Lab) -> None:
    host = measured.host("gw-a1")
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: at(sampler, "nq-trade-1") is not None, 10)
        host.freeze()
        began = time.monotonic()
        sampler.stop()
        assert time.monotonic() - began < 6
    host.thaw()


def test_waiting_for_what_does_not_come_ends_in_time(measured: Lab) -> None:
    measured.host("gw-a1")
    with sampling(measured) as sampler:
        began = time.monotonic()
        assert not sampler.wait_for(lambda: False, 0.5)
        assert 0.4 < time.monotonic() - began < 2


def test_a_host_without_the_interpreter_says_so(measured: Lab) -> None:
    measured.host("gw-a1")
    hosts = measured.site.folder / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("ansible_python_interpreter: ", "ansible_python_interpreter: /nowhere"))
    sampler = Sampler(measured.site, measured.ssh, ONHOST, measured.folder, 100).start()
    assert eventually(lambda: "/nowhere" in (measured.folder / "samples.jsonl").read_text())
    sampler.stop()
    assert not sampler.latest()


def test_a_host_that_talks_nonsense_is_heard_again(measured: Lab) -> None:
    """A line that cannot be read ends the session, not the sampling."""
    measured.host("gw-a1")
    hosts = measured.site.folder / "hosts.yml"
    said = measured.folder / "said"
    program = measured.folder / "python"
    once = f'[ -e {said} ] || {{ touch {said}; echo "{{"; exit; }}'
    program.write_text(f'#!/bin/sh\n{once}\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    hosts.write_text(hosts.read_text().replace(sys.executable, str(program)))
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: at(sampler, "nq-trade-1") is not None, 10)
    assert '"state":"lost"' in (measured.folder / "samples.jsonl").read_text()

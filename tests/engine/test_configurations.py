"""A snapshot's configurations: each host is asked with its gateway's key, kept on disk, and proved by the journal."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.secrets import Mask
from orchestrator.engine.configurations import keep
from orchestrator.errors import StepFailed
from orchestrator.evidence.redact import key_of, run_key
from orchestrator.journal import SqliteJournal, chain_is_valid
from orchestrator.model.event import EventKind
from orchestrator.model.verdict import RunOutcome
from orchestrator.ports import Call
from tests.engine.sim import SimClock
from tests.engine.test_engine import FUTIAN, Stager, stage
from tests.engine.test_world import PLAN, SITE, AnsweringWorld

__all__ = ["stage"]


def test_each_gateway_is_asked_with_a_key_of_its_own(tmp_path: Path) -> None:
    world = AnsweringWorld(tmp_path, PLAN)
    world.snapshot(Call("snapshot", 1), 10)
    [(_, requests)] = world.hosts.sent
    asked = [item for items in requests.values() for item in items if "gateway" in item]
    keys = {item["gateway"]["id"]: item.get("redaction_key") for item in asked}
    assert keys == {name: key_of(run_key(tmp_path), name).hex() for name in SITE.topology.gateway}
    assert len(set(keys.values())) == len(keys)
    routers = {router.id for router in SITE.topology.routers}
    assert all("redaction_key" not in item for name in routers for item in requests[name])


def test_the_text_of_a_gateway_whose_state_failed_is_kept_too(tmp_path: Path) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        name = request.get("gateway", {}).get("id")
        found = {"outcome": "failed" if name == "nq-trade-1" else "succeeded", "message": "m", "running": [1]}
        return {**found, "redacted": f"of {name}"} if name else found

    world = AnsweringWorld(tmp_path, PLAN)
    world.hosts.hear(answer)
    taken = world.snapshot(Call("snapshot", 1), 10)
    assert dict(taken.configurations) == {name: f"of {name}" for name in SITE.topology.gateway}
    assert "nq-trade-1" in taken.unreachable


def test_texts_are_on_disk_under_their_time_and_their_digests_are_returned(tmp_path: Path) -> None:
    assert keep(tmp_path, "before", {"g": "密"}) == {"g": hashlib.sha256("密".encode()).hexdigest()}
    keep(tmp_path, "before", {"g": "another"})
    assert {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.txt")} == {
        "configurations/g/before.txt": "another"
    }


def test_a_disk_that_takes_no_text_fails_the_step(tmp_path: Path) -> None:
    (tmp_path / "configurations").write_text("no folder")
    with pytest.raises(StepFailed, match="expected to keep the configurations"):
        keep(tmp_path, "before", {"g": "x"})


def test_a_runs_journal_proves_its_configurations_before_during_and_after(stage: Stager) -> None:
    play = stage()
    play.play()
    snapshots = [event.data for event in play.events if event.kind is EventKind.SNAPSHOT]
    taken = {data["when"]: data["configurations"] for data in snapshots}
    assert set(taken) == {"before", "during", "after"}
    for when, digests in taken.items():
        for gateway, digest in digests.items():
            text = (play.folder / "configurations" / gateway / f"{when}.txt").read_bytes()
            assert hashlib.sha256(text).hexdigest() == digest
    moved = {name for name in taken["before"] if taken["before"][name] != taken["during"][name]}
    assert (moved, taken["after"]) == (set(FUTIAN), taken["before"])


def test_without_room_for_the_snapshot_before_nothing_is_touched(stage: Stager) -> None:
    play = stage()
    (play.folder / "configurations").write_text("no folder")
    assert (play.play().outcome, play.world.effects) == (RunOutcome.FAILED, [])


def test_no_secret_is_in_an_event_whoever_brought_it(tmp_path: Path) -> None:
    """A message of a person goes into the chain as it is taken, by another way than the engine's own events."""
    journal = SqliteJournal(tmp_path / "journal.db", SimClock(), Mask(["hunter22"]).data)
    epoch = journal.open_run("r1", PLAN, tmp_path, "hunter22", [])
    journal.append("r1", epoch, EventKind.NOTE, {"what": "x", "deep": [{"text": "said hunter22"}]})
    journal.post("r1", "abort", {"by": "li", "reason": "hunter22 leaked"}, "k1")
    [message] = journal.waiting("r1")
    journal.take("r1", epoch, message)
    events = journal.events("r1")
    journal.close()
    assert "hunter22" not in str(events)
    assert [event.kind for event in events] == [EventKind.OPENED, EventKind.NOTE, EventKind.MESSAGE]
    assert chain_is_valid(events)

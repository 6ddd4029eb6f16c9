"""The way home of an incident: its plan, made of the journal, and what became of it. Shared by every verb that asks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from orchestrator.errors import Refused
from orchestrator.journal import CLOSED, RunState, SqliteJournal
from orchestrator.model.plan import Plan
from orchestrator.wiring.places import Places

if TYPE_CHECKING:
    from orchestrator.loader.site import LoadedSite


@dataclass(frozen=True)
class WayHome:
    """A failback of an incident that has begun to move gateways. `partly`: closed, and not everything is home."""

    run: str
    state: Literal["open", "partly", "home"]


def plan_home(places: Places, site: "LoadedSite", run: str, today: date) -> Plan:
    """The plan that brings home what an incident has moved. Refused by name where there is none."""
    from orchestrator.loader.drill import load_drill  # noqa: PLC0415 - as below
    from orchestrator.planner.failback import Past, make_failback  # noqa: PLC0415 - `status` has no need of it

    journal = places.journal(site.topology.site.name)
    try:
        state = journal.state(run)
        _refuse_ways(journal, run)
        past = Past(run, state.plan, journal.events(run))
    finally:
        journal.close()
    drill = load_drill(places.drills, state.plan.drill)
    return make_failback(site.topology, site.digest, drill, past, today)


def refuse_second(places: Places, site: "LoadedSite", plan: Plan) -> None:
    """Asked again when it begins: another failback of the same run may have come first."""
    if plan.fails_back is None:
        return
    journal = places.journal(site.topology.site.name)
    try:
        _refuse_ways(journal, plan.fails_back.run)
    finally:
        journal.close()


def _refuse_ways(journal: SqliteJournal, run: str) -> None:
    for way in ways_home(journal, run):
        if way.state == "home":
            raise Refused(
                "FAILED_BACK", f"run {run}: expected it not to be failed back, found it home by run {way.run}"
            )
        if way.state == "open":
            raise Refused(
                "FAILBACK_UNDER_WAY",
                f"run {run}: expected no failback of it under way, found run {way.run} open; "
                f"`drillctl status {way.run}` says what it needs",
            )


def ways_home(journal: SqliteJournal, run: str) -> Iterator[WayHome]:
    """Failbacks of an incident, oldest first. One that never moved anything is none."""
    for item in journal.runs():
        state = journal.state(item["run"])
        if state.plan.fails_back and state.plan.fails_back.run == run:
            found = _way_home(journal, state)
            if found:
                yield found


def _way_home(journal: SqliteJournal, state: RunState) -> WayHome | None:
    events = journal.events(state.run)
    if state.status != CLOSED:
        return WayHome(state.run, "open")
    if not any(event.step in state.plan.touching for event in events):
        return None
    from orchestrator.judge import unproved  # noqa: PLC0415 - few runs have a way home

    return WayHome(state.run, "partly" if unproved(state.plan, events) else "home")


def refuse_another_place(places: Places, plan: Plan) -> None:
    """What a switchover moved on a twin is brought home on that very twin, and nowhere else."""
    from orchestrator.twin import Twin  # noqa: PLC0415 - `status` has no need of it

    if plan.fails_back is None:
        return
    journal = places.journal(plan.site)
    try:
        place = journal.state(plan.fails_back.run).place
    finally:
        journal.close()
    here, wanted = Twin.current(), (place.get("twin"), place.get("twin_pid"))
    found = (here.name, here.pid) if here else (None, None)
    if found != (wanted if wanted[1] else (None, None)):
        raise Refused(
            "OTHER_PLACE",
            f"expected {_named(*wanted)}, where incident {plan.fails_back.run} was, found {_named(*found)}",
        )


def _named(twin: str | None, pid: int | None) -> str:
    return f"twin {twin} (process {pid})" if pid else "the real network"

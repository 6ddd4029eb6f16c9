"""`drillctl resume`: go on with a run whose orchestrator is gone, or that waited for a person."""

import getpass
from collections.abc import Sequence
from dataclasses import replace

import typer

from orchestrator.cli.closing import Keeping
from orchestrator.cli.conduct import Stage, carry_through, conclude
from orchestrator.cli.needs import is_unsealed, on_site
from orchestrator.cli.options import DEFAULT_SITE, Json, RunId, Site
from orchestrator.engine import guard
from orchestrator.engine.run import End
from orchestrator.errors import DrillctlError, NeedsPerson, Refused
from orchestrator.history import plan_now
from orchestrator.journal import CLOSED, RunState, SqliteJournal, chain_is_valid
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan, digest_of
from orchestrator.twin import Twin, ensure_sealed
from orchestrator.wiring.places import Place, Places
from orchestrator.wiring.runs import OpenRun, reopen


def resume(
    run: RunId,
    keep: bool = typer.Option(False, "--keep", help="Leave the run's own twin up afterwards."),
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Go on with a run that was interrupted or waited for a person: forward or back, as its journal says."""
    stage = Stage.of(Places(), site, as_json=as_json)
    journal = stage.journal()
    try:
        opened = _reopened(stage, journal, run)
        twin = opened.place.find()
        if twin is None and not opened.place.on_site:
            raise typer.Exit(_close_without_twin(stage, journal, opened))
        tell_changes(stage, journal, opened)
    finally:
        journal.close()
    if twin is not None:
        _enter(twin)
    if keep:
        opened = replace(opened, place=replace(opened.place, owned=False))
    raise typer.Exit(carry_through(stage, opened, twin))


def _reopened(stage: Stage, journal: SqliteJournal, run: str) -> OpenRun:
    state = journal.state(run)
    if is_unsealed(state):
        seal = f"`drillctl evidence seal {run}{on_site(stage.site)}` seals it"
        raise Refused("RUN_CLOSED", f"run {run} is closed, and only its evidence is not sealed yet; {seal}")
    if state.status != CLOSED:
        events = journal.events(run)
        if not chain_is_valid(events):
            raise NeedsPerson(
                f"run {run}: expected an unbroken journal, found that events were changed or removed; nothing was "
                "done. Do not go on by it: look at every gateway, and keep the state folder as it is"
            )
        _heed_lever(stage, state, events)
        Place.read(state.place).find()  # refused here it leaves no trace: a twin that is hidden is not gone
    opened = reopen(journal, state, getpass.getuser())
    stage.console.print(f"run {run}, taken over from {state.owner}")
    return opened


def _heed_lever(stage: Stage, state: RunState, events: Sequence[Event]) -> None:
    """Restoration is never refused: what was begun goes back. An incident holds, and nothing begun has no way back."""
    reason = stage.places.lever(stage.name).reason()
    if reason is None:
        return
    begun = any(event.kind is EventKind.INTENT for event in events)
    if plan_now(state.plan, events).mode is Mode.INCIDENT or not begun:
        raise Refused(
            "LEVER",
            f"the site-wide lever is engaged: {reason}; run {state.run} has nothing to put back and does not go "
            f"forward until `drillctl lever release{on_site(stage.site)}`",
        )
    stage.console.print(f"the site-wide lever is engaged: {reason}; this run only goes back")


def tell_changes(stage: Stage, journal: SqliteJournal, opened: OpenRun) -> None:
    """A running plan does not change; who edited something meanwhile is told so, and so is the reader of the report."""
    changed = [*_inventory_changed(stage, opened.job.plan), *_drill_changed(stage, opened.job.plan)]
    if changed:
        text = f"{' and '.join(changed)} changed since the run began; it goes on by its own copy"
        stage.console.print(text)
        job, note = opened.job, {"what": "changed_meanwhile", "text": text}
        if note not in [event.data for event in journal.events(job.run)]:
            journal.append(job.run, job.epoch, EventKind.NOTE, note)


def _inventory_changed(stage: Stage, plan: Plan) -> list[str]:
    try:
        same = stage.places.site(stage.site).digest == plan.inventory_digest
    except DrillctlError:  # it is being edited: wrong for now, and certainly another
        same = False
    return [] if same else [f"the inventory {stage.site}"]


def _drill_changed(stage: Stage, plan: Plan) -> list[str]:
    try:
        same = digest_of(load_drill(stage.places.drills, plan.drill).canonical()) == plan.drill_digest
    except DrillctlError:
        same = False
    return [] if same else [f"the drill {plan.drill}"]


def _enter(twin: Twin) -> None:
    """Into the run's own twin, unless this process is there already."""
    here = Twin.current()
    if here is None or (here.name, here.pid) != (twin.name, twin.pid):
        twin.enter()
    ensure_sealed()


def _close_without_twin(stage: Stage, journal: SqliteJournal, opened: OpenRun) -> int:
    """Nothing is left to put back, and nothing can be proved: the run is closed as it is, and its locks are free."""
    job, place = opened.job, opened.place
    for folder in sorted((job.folder / "steps").glob("*/")):
        guard.sweep(folder)
    text = f"expected the twin {place.twin} (process {place.pid}), found it gone"
    journal.append(job.run, job.epoch, EventKind.NOTE, {"what": "twin_gone", "text": text})
    journal.append(job.run, job.epoch, EventKind.CLOSED, {})
    stage.console.print(
        f"[bold red]twin {place.twin} is gone[/]: run {job.run} cannot go on; it is closed, its locks are free"
    )
    keeping = Keeping.of(stage.places, opened.site, stage.console.print, home=stage.places.site_folder(stage.site))
    keeping.open(job, journal.events(job.run))
    return conclude(stage, job, journal, keeping, End.CLOSED)

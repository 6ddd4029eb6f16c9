"""What `rehearse`, `run` and `resume` share: carry a run through on its twin or on the real site, judge it, write its
report, say what came out. Where no twin is given, it is the real site.
"""

import getpass
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

import typer
from rich.console import Console

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.secrets import NO_MASK, Mask
from orchestrator.adapters.world import SiteWorld
from orchestrator.cli.closing import Keeping, Left, keep_truth
from orchestrator.cli.days import note_days
from orchestrator.cli.live import progress
from orchestrator.cli.needs import Standing, needed, on_site, question_as_data, said, show_needs, standing_of
from orchestrator.cli.outages import hours_of
from orchestrator.cli.permission import passage_of
from orchestrator.cli.telling import notices_of
from orchestrator.engine.heed import Stops
from orchestrator.engine.log import Assignment
from orchestrator.engine.run import End, Engine
from orchestrator.errors import DrillctlError, Refused
from orchestrator.evidence.pack import make_ready
from orchestrator.history import permit_of
from orchestrator.journal import SqliteJournal
from orchestrator.loader.calendar import load_calendar
from orchestrator.loader.site import LoadedSite
from orchestrator.model.approval import Permit
from orchestrator.model.drill import FaultManner, Mode
from orchestrator.model.people import PersonRole
from orchestrator.model.plan import Fault, Plan
from orchestrator.model.verdict import Restoration
from orchestrator.ports import Listener
from orchestrator.report.terminal import summary
from orchestrator.rules.approvals import LASTING
from orchestrator.rules.windows import Closed
from orchestrator.twin import Twin, ensure_sealed
from orchestrator.wiring.places import Permission, Place, Places
from orchestrator.wiring.runs import OpenRun, new_run, open_run, ssh_on_site, world_on_site, world_on_twin

_DOWN_LEASE_S = 3600.0  # our choice: lines that are out of service stay so for the whole run
_LOOK_EVERY_S = 1.0  # our choice: how often a lock that is waited for is looked at
_READY_S = 30.0  # our choice: so long the seal waits for what was to be ready; then it does without
_WAIT_S = 3600.0  # our choice: longest wait for another run's locks
_TWIN_LEASE = "15 minutes"
_EXIT = {End.WAITING: 5, End.PAUSED: 4}


@dataclass(frozen=True)
class Stage:
    """What a verb has at hand: where things lie, the site as the operator named it, and whom it speaks to."""

    places: Places
    site: Path
    name: str
    console: Console
    as_json: bool

    @classmethod
    def of(cls, places: Places, site: Path, *, as_json: bool) -> "Stage":
        console = Console(stderr=as_json, soft_wrap=True, highlight=False)
        return cls(places, site, places.site_name(site), console, as_json)

    def journal(self, mask: Mask = NO_MASK) -> SqliteJournal:
        return self.places.journal(self.name, mask)


def refuse_lever(stage: Stage) -> None:
    """Nothing new begins while the site-wide lever is engaged."""
    reason = stage.places.lever(stage.name).reason()
    if reason:
        raise Refused(
            "LEVER",
            f"the site-wide lever is engaged: {reason}; nothing goes forward until "
            f"`drillctl lever release{on_site(stage.site)}`",
        )


def begin(
    stage: Stage,
    site: LoadedSite,
    plan: Plan,
    twin: Twin | None,
    *,
    owned: bool,
    wait: bool,
    permission: Callable[[], Permission] | None = None,
) -> OpenRun:
    """A new run of the plan on this twin, or on the real site; its id is printed first. Refused leaves nothing: a run
    whose evidence could not be kept does not begin. `permission` is asked at each attempt: what was good an hour ago
    may not be now.
    """
    if twin is None:
        ssh_on_site(site, site.folder, f"begin {secrets.token_hex(4)}").close(site)  # refused before a run is on record
    else:
        ensure_sealed()
        _same_site(site, twin)
    Keeping.of(stage.places, site, stage.console.print, on_site=twin is None).ledger.publish()
    journal = stage.journal()
    try:
        place = Place.of(twin, owned=owned)
        permitted = permission or _no_permission
        opened = when_free(stage, wait, lambda: _open(stage, journal, site, plan, place, permitted()))
    finally:
        journal.close()
    stage.console.print(f"run {opened.job.run}")
    return opened


def _no_permission() -> None:
    """A rehearsal needs none."""


def _open(
    stage: Stage,
    journal: SqliteJournal,
    site: LoadedSite,
    plan: Plan,
    place: Place,
    permission: Permission | None,
) -> OpenRun:
    folder = new_run(stage.places, plan, site.topology.site.timezone)
    return open_run(journal, site, plan, folder, getpass.getuser(), place, permission)


def when_free(stage: Stage, wait: bool, attempt: Callable[[], OpenRun]) -> OpenRun:
    """With `wait` another run's locks are waited for, and said once per holder."""
    clock, said = SystemClock(), ""
    end = clock.monotonic() + _WAIT_S
    while True:
        try:
            return attempt()
        except Refused as error:
            if error.code != "LOCKED" or not wait or clock.monotonic() > end:
                raise
            if str(error) != said:
                said = str(error)
                stage.console.print(f"waiting (at most {_WAIT_S / 60:.0f} min): {said.partition(';')[0]}")
        refuse_lever(stage)
        sleep(_LOOK_EVERY_S)


def _same_site(site: LoadedSite, twin: Twin) -> None:
    if twin.site_digest != site.digest:
        raise Refused(
            "OTHER_SITE",
            f"expected a twin of {site.folder} as it is now, found {twin.name}, built from another inventory; "
            f"`drillctl twin down {twin.name}` and bring it up again",
        )


def carry_through(stage: Stage, run: OpenRun, twin: Twin | None, beside: Sequence[Listener] = ()) -> int:
    """Run it to its end, judge it, write its report, say what came out. Exit code of the run (design §6). `beside`:
    who else is told of what happens.

    A twin that was brought up for the run is taken down once the run is closed, never before: while it is not, the
    twin is what `resume` goes on with.
    """
    home = stage.places.site_folder(stage.site)
    keeping = Keeping.of(stage.places, run.site, stage.console.print, home=home, on_site=twin is None)
    journal = stage.journal(keeping.mask)
    closed = False
    try:
        keeping.open(run.job, journal.events(run.job.run))
        ready = make_ready()
        end = _drive(stage, run, twin, journal, keeping.mask, beside)
        closed = end is End.CLOSED
        keep_truth(run.job.folder, _truth(twin) if twin else None)
        ready.join(_READY_S)
        return conclude(stage, run.job, journal, keeping, end)
    finally:
        journal.close()
        if twin is None:
            pass  # a site stays where it is
        elif not closed:
            stage.console.print(f"twin {twin.name} stays up for {_TWIN_LEASE} after its last use: resume before that")
        elif run.place.owned:
            twin.down()


def conclude(stage: Stage, job: Assignment, journal: SqliteJournal, keeping: Keeping, end: End) -> int:
    """Write down what the run came to; a closed one is sealed. Exit code of the run."""
    left = keeping.leave(job, journal.events(job.run), closed=end is End.CLOSED)
    if end is End.CLOSED:
        notices_of(stage.places, stage.site, job, keeping.mask, stage.console.print).concluded(left.record)
    show(stage, left, end, standing_of(journal, job.run, leaving=True))
    return _EXIT.get(end, left.exit_code)


def _drive(
    stage: Stage, run: OpenRun, twin: Twin | None, journal: SqliteJournal, mask: Mask, beside: Sequence[Listener]
) -> End:
    job, topology = run.job, run.site.topology
    if twin is not None:
        twin.keep()
        take_out_of_service(job, twin)
    note_days(journal, job, stage.places.site_folder(stage.site), stage.console.print)
    past = journal.events(job.run)
    stops = stops_of(stage, run, permit_of(past))
    told = notices_of(stage.places, stage.site, job, mask, stage.console.print, past)
    simulated = twin is not None
    with progress(stage.console, job.run, job.plan, topology, past, stops.hours, simulated=simulated) as listener:
        world = _world(stage, run, twin, mask)
        listeners = [listener, told, *beside]
        end = Engine(job, world, journal, SystemClock(), listeners, stops=stops, resumed=run.resumed).run()
    if twin is not None and end is End.CLOSED:
        put_back_in_service(job, twin)
    return end


def _world(stage: Stage, run: OpenRun, twin: Twin | None, mask: Mask) -> SiteWorld:
    if twin is None:
        return world_on_site(stage.places, run, stage.places.site_folder(stage.site), mask)
    return world_on_twin(stage.places, run, twin, mask)


def stops_of(stage: Stage, run: OpenRun, permit: Permit | None) -> Stops:
    """The lever; on the production path also whether the approvals still count, and for a drill whether its window is
    open, as the site's own calendar has it at each look.
    """
    lever = stage.places.lever(stage.name).reason
    if run.job.plan.mode is Mode.REHEARSAL:
        return Stops(lever=lever)
    if permit is None:
        return Stops(lever=lever, window=lambda: "NOT_APPROVED: expected a permit in the run's journal, found none")
    home = stage.places.site_folder(stage.site)

    def window() -> str | None:
        now = SystemClock().now()
        over = [item for item in permit.consents if item.kind in LASTING and item.not_after.timestamp() < now]
        if over:
            return f"APPROVAL_EXPIRED: expected {over[0].kind} by {over[0].by} to count still, found its time over"
        if run.job.plan.mode is not Mode.DRILL:
            return None
        try:
            calendar = load_calendar(home)
        except DrillctlError as error:
            return f"calendar.yml cannot be read: {error}"
        found = passage_of(run.site, calendar, run.job.plan, permit.window, now, expected_s=0)
        return f"{found.code}: {found.reason}" if isinstance(found, Closed) else None

    hours = hours_of(home, run.site.topology.site.timezone)
    return Stops(lever=lever, window=window, latest_return_at=permit.latest_return_at, hours=hours)


def take_out_of_service(job: Assignment, twin: Twin) -> None:
    """Lines that were down before are down in the twin as long as the run lasts, interruptions included."""
    if job.plan.out_of_service:
        twin.inject(_out_of_service(job.plan), _DOWN_LEASE_S, job.run, job.epoch)


def put_back_in_service(job: Assignment, twin: Twin) -> None:
    """It may be somebody else's twin."""
    if job.plan.out_of_service:
        twin.lift(_out_of_service(job.plan), job.run, job.epoch)


def _out_of_service(plan: Plan) -> Fault:
    return Fault(manner=FaultManner.DARK, lines=plan.out_of_service)


def _truth(twin: Twin) -> dict[str, Any] | None:
    """None where the twin has ended meanwhile: its report has no such annex then."""
    try:
        return twin.truth()
    except Refused:
        return None


def show(stage: Stage, left: Left, end: End, standing: Standing) -> None:
    """The summary, where the reports and the evidence are, and whom to call where not all is well."""
    record = left.record
    stage.console.print(summary(record))
    for language in ("zh", "en"):
        stage.console.print(f"report {language}: {left.reports[language]}")
    stage.console.print(f"evidence: {left.evidence}\n  {left.said}" if left.sealed else left.said)
    if end is not End.CLOSED:
        show_needs(stage.console, [said(standing), *needed(standing, stage.site)])
    elif record.verdict.restoration is Restoration.NOT_PROVED:
        for person in record.topology.people.with_role(PersonRole.COMMANDER)[:1]:
            stage.console.print(f"[bold red]not restored[/]: call the commander, {person.name.en}, {person.phone}")
    if stage.as_json:
        typer.echo(json.dumps(_document(left, end, standing), ensure_ascii=False))


def _document(left: Left, end: End, standing: Standing) -> dict[str, Any]:
    """`end`: closed, waiting (for the answers to `questions`) or paused."""
    fields = {"outcome", "restoration", "objectives", "integrity"}
    return {
        "run": left.record.run,
        "end": end.value,
        "verdict": left.record.verdict.model_dump(mode="json", include=fields),
        "questions": [question_as_data(item) for item in standing.questions],
        "report": str(left.reports["zh"]),
        "evidence": str(left.evidence),
    }

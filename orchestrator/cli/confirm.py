"""`drillctl confirm`: a person says that their step is done, or that it is not."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.secrets import of_this_machine
from orchestrator.cli import handed_in
from orchestrator.cli.awaited import Awaited, awaited, people_steps
from orchestrator.cli.needs import on_site
from orchestrator.cli.options import DEFAULT_SITE, Json, RunId, Site, moment_of
from orchestrator.errors import DefinitionError, DrillctlError, Refused
from orchestrator.history import confirmation_of
from orchestrator.journal import CLOSED, RunState, SqliteJournal
from orchestrator.loader.evidence import load_evidence
from orchestrator.loader.people import load_people
from orchestrator.model.people import People, PersonRole
from orchestrator.model.plan import BEFORE_ANYTHING
from orchestrator.model.record import ConfirmationRecord
from orchestrator.wiring.places import Places, copy_of


def confirm(  # noqa: PLR0913, PLR0917 - one option each
    run: RunId,
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step that waits for you; `drillctl status RUN`.")],
    by: Annotated[
        str, typer.Option("--by", metavar="PERSON", envvar="DRILLCTL_PERSON", help="Who you are, by people.yml.")
    ],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What is worth knowing; in the report.")] = "",
    evidence: Annotated[
        list[Path] | None, typer.Option("--evidence", metavar="FILE", help="What shows it; goes into the pack.")
    ] = None,
    not_done: Annotated[
        str | None, typer.Option("--not-done", metavar="REASON", help="It is not so, and why: the run goes no further.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When it was so, as 2026-11-21T03:00; default: now.")
    ] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Confirm your own step of a run, or say that it is not done. It counts also while nobody is at work on the run."""
    places = Places()
    journal = places.journal(places.site_name(site))
    try:
        desk = _Desk(places, site, journal, journal.state(run))
        waits = desk.awaited(step)
        desk.require_owner(waits, by)
        said = _Said(by, at, note.strip() if not_done is None else _reason(not_done), not_done is None)
        record = desk.post(waits, said, evidence or [])
        _answer(journal.state(run), record, site, as_json=as_json)
    finally:
        journal.close()


def _reason(text: str) -> str:
    if not text.strip():
        raise DefinitionError("--not-done: expected why it is not done, found nothing")
    return text.strip()


@dataclass(frozen=True)
class _Said:
    """What was typed."""

    by: str
    at: str | None
    note: str
    done: bool


@dataclass(frozen=True)
class _Desk:
    """Where a run's people speak."""

    places: Places
    site: Path
    journal: SqliteJournal
    state: RunState

    def awaited(self, step: str) -> Awaited:
        """Refused RUN_CLOSED, NOT_ASKED. DefinitionError: no step of people."""
        known = [item.id for item in people_steps(self.state)]
        if step not in known:
            raise DefinitionError(
                f"STEP: expected a step of people in this run ({', '.join(known) or 'it has none'}), found {step!r}"
            )
        if self.state.status == CLOSED:
            raise Refused("RUN_CLOSED", f"run {self.state.run} is closed: there is nothing left to confirm")
        run = self.state.run
        found = awaited(self.state, self.journal.events(run), self.journal.waiting(run))
        if found is None or found.step.id != step:
            now = f"{found.step.id} of {found.target.name}" if found else "none"
            raise Refused(
                "NOT_ASKED",
                f"expected {step} to wait for its owner, found that it does not: what waits now is {now}; what was "
                "confirmed already, and what comes later, cannot be confirmed. "
                f"`drillctl status {run}{on_site(self.site)}`",
            )
        return found

    def require_owner(self, waits: Awaited, by: str) -> None:
        """Refused NOT_YOURS. Who has the role now counts as well as who had it when the run began."""
        people = (*_then(self.state).people, *self._now().people)
        if by not in {person.id for person in people}:
            known = ", ".join(dict.fromkeys(person.id for person in people)) or "nobody"
            raise DefinitionError(f"--by: expected a person of people.yml ({known}), found {by!r}")
        role = waits.target.arguments.get("role")
        now = [person.id for person in self._now().with_role(PersonRole(role))] if role else []
        if by not in (*waits.people, *now):
            raise Refused(
                "NOT_YOURS",
                f"step {waits.step.id}: expected {waits.target.name} ({', '.join(waits.people)}), found {by}; nobody "
                "else can confirm it",
            )

    def _now(self) -> People:
        try:
            return load_people(self.places.site_folder(self.site))
        except DrillctlError:
            return People()

    def post(self, waits: Awaited, said: _Said, paths: list[Path]) -> ConfirmationRecord:
        """Put it into the run's inbox, once for each time that it is asked. Refused leaves nothing."""
        now = SystemClock().now()
        at = self._moment(waits, said.at, now)
        if said.done and waits.needs_time and said.at is None:
            raise DefinitionError(
                "--at: expected when it was so, as 2026-11-21T03:00:00, found nothing; "
                f"{waits.step.id} is measured from it"
            )
        if said.done and waits.needs_evidence and not paths:
            raise Refused("NO_EVIDENCE", f"step {waits.step.id} has to be shown: expected --evidence FILE, found none")
        files = handed_in.read_all(paths)
        if files:
            handed_in.refuse_secrets(files, self._secrets())
        if waits.said is not None:
            return self._again(waits, waits.said, said)
        kept = handed_in.keep(self.state.folder, waits.step.id, files)
        data: dict[str, Any] = {
            "step": waits.step.id,
            "attempt": waits.attempt,
            "done": said.done,
            "by": said.by,
            "at": at,
            "told_at": now,
        }
        data |= {"note": said.note, "evidence": [item.model_dump(mode="json") for item in kept]}
        run = self.state.run
        self.journal.post(run, "confirm", data, f"confirm-{run}-{waits.step.id}-{waits.attempt}")
        return self._heard(waits, said, confirmation_of(data))

    def _heard(self, waits: Awaited, said: _Said, record: ConfirmationRecord) -> ConfirmationRecord:
        """Somebody else may have spoken at this very moment, or the run may have ended."""
        run = self.state.run
        state, messages = self.journal.state(run), self.journal.waiting(run)
        if state.status == CLOSED and any(item.topic == "confirm" for item in messages):
            raise Refused("RUN_CLOSED", f"run {run} was closed at this moment: nothing was confirmed")
        now = awaited(state, self.journal.events(run), messages)
        if now and now.step.id == waits.step.id and now.said and now.said.told_at != record.told_at:
            return self._again(waits, now.said, said)
        waiting = any(item.topic == "confirm" and item.data["told_at"] == record.told_at for item in messages)
        if waiting and (now is None or now.said is None):
            raise Refused("TOO_LATE", f"step {waits.step.id} was answered, or its time was over, at this moment")
        return record

    def _again(self, waits: Awaited, before: ConfirmationRecord, said: _Said) -> ConfirmationRecord:
        """The same word once more is the same word; another one comes too late."""
        if (before.by, before.done) == (said.by, said.done):
            return before
        word = "done" if before.done else "not done"
        raise Refused("CONFIRMED", f"step {waits.step.id}: {before.by} has said already that it is {word}")

    def _moment(self, waits: Awaited, text: str | None, now: float) -> float:
        """DefinitionError: in the future, or before what it has to come after."""
        if text is None:
            return now
        zone = ZoneInfo(self.places.timezone(self.site))
        at = moment_of("--at", text, zone)
        first = 0.0 if waits.step.phase in BEFORE_ANYTHING else waits.asked_at
        if not first <= at <= now:
            early = f"a time from {_shown(first, zone)} on, when it was asked for,"
            early = f"a time from {_shown(first, zone)} on, when it was asked for,"
            what = early if at < first else "no later time than now"
            raise DefinitionError(f"--at: expected {what} ({_shown(now, zone)}), found {_shown(at, zone)}")
        return at

    def _secrets(self) -> set[str]:
        site = copy_of(self.state)
        settings = load_evidence(self.places.site_folder(self.site))
        return set(of_this_machine(site, settings.secrets).secrets)


def _shown(at: float, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%dT%H:%M:%S}"


def _then(state: RunState) -> People:
    try:
        return copy_of(state).topology.people
    except DrillctlError:
        return People()


def _answer(state: RunState, said: ConfirmationRecord, site: Path, *, as_json: bool) -> None:
    attended = state.is_attended(SystemClock().now())
    if as_json:
        data = said.model_dump(mode="json")
        typer.echo(json.dumps({"run": state.run, "confirmation": data, "attended": attended}, ensure_ascii=False))
        return
    later = f"; no orchestrator is at work on it: `drillctl resume {state.run}{on_site(site)}` goes on"
    word = "confirmed" if said.done else "not done"
    typer.echo(f"noted: {said.step} {word} by {said.by}{'' if attended else later}")

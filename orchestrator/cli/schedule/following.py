"""`drillctl schedule next`: the next drill with everything that one has to do for it."""

import json

import typer
from rich.console import Console
from rich.text import Text

from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.schedule.reading import Book, as_data, begin, book, fault_of, request, state_of
from orchestrator.errors import Refused
from orchestrator.model.drill import Mode
from orchestrator.model.local_time import moment
from orchestrator.model.people import PersonRole
from orchestrator.rules.schedule import Entry, EntryState, Standing, horizon, standing, why_not_fire


def following(site: Site = DEFAULT_SITE, as_json: Json = False) -> None:
    """Show the next entry of which nothing was held yet: when, what, by whom, and what stands against it."""
    known = book(site)
    entry = _next(known)
    hindered = why_not_fire(entry, known.zone, moment(known.now, known.zone))
    if as_json:
        refusal = {"code": hindered.code, "reason": hindered.reason} if hindered else None
        document = {**as_data(known, entry), "hindered": refusal, "to_do": to_do(known, entry)}
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    rule = entry.subject.rule
    console.print(Text.assemble((f"{entry.begins:%Y-%m-%d %a %H:%M}", "bold"), f"  {rule.title.en} {rule.title.zh}"))
    console.print(Text(f"  entry {entry.id}, {rule.mode.value}, {state_of(entry)}"))
    console.print(Text(f"  fails: {fault_of(entry)}; until {entry.ends:%H:%M}"))
    console.print(Text(f"  serves {', '.join(rule.clauses)}; {rule.policy}"))
    for number, line in enumerate(to_do(known, entry), 1):
        console.print(Text(f"  {number}. {line}"))
    if hindered and hindered.code != "SCHEDULE_NOT_DUE":
        console.print(Text(f"  now: {hindered.code}: {hindered.reason}", "yellow"))


def _next(known: Book) -> Entry:
    today = known.now.date()
    for entry in known.planned(known.schedule.starts, horizon(horizon(today))):
        # a free day may come yet where there is none now: such an entry is not skipped
        if standing(entry, known.held, known.now)[0] is Standing.UPCOMING:
            return entry
    raise Refused("NO_ENTRY", f"{known.name}: expected an entry in the next two years, found none; see schedule.yml")


def to_do(known: Book, entry: Entry) -> list[str]:
    """What people do for it, in their order."""
    drill = entry.subject.rule.mode is Mode.DRILL
    operators = ", ".join(person.id for person in known.site.topology.people.with_role(PersonRole.OPERATOR)) or "nobody"
    approvers = ", ".join(person.id for person in known.site.topology.people.with_role(PersonRole.APPROVER)) or "nobody"
    lines = [f"from {entry.prepare_on}: `drillctl rehearse {request(entry)}`"] if drill else []
    if entry.state is EntryState.PROVISIONAL:
        lines.append(f"write {entry.begins:%Y-%m-%d} under `days` of calendar.yml once the exchanges publish the year")
    if drill and entry.window is None:
        lines.append("ask SSCC for a window, and write it under `windows` of calendar.yml with its number")
    if drill:
        window = f" --window {entry.window.id}" if entry.window else ""
        lines.append(f"`drillctl plan {request(entry)} --mode drill --save --by PERSON`")
        lines.append(f"`drillctl approve PLAN{window} --by PERSON`, the person one of: {approvers}")
    lines.append(f"{entry.begins:%Y-%m-%d %H:%M}: `{begin(entry)}` by one of: {operators}")
    if entry.window:
        lines.append(f"restoration begins at {entry.window.latest_return:%Y-%m-%d %H:%M} at the latest 最晚回退时点")
    return lines

"""`drillctl audit`: judge the inventory and the firm's records by the clauses."""

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from orchestrator.cli.auditing import Audited, audited
from orchestrator.cli.live_facts import live_facts
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.errors import DefinitionError
from orchestrator.evidence.disk import replace
from orchestrator.loader.site import LoadedSite
from orchestrator.model.audit import Finding, Result, Severity
from orchestrator.report.audit_page import AuditSheet, render
from orchestrator.rules.waivers import IdleWaiver
from orchestrator.wiring.places import Places

_COLOUR = {Result.SATISFIED: "green", Result.VIOLATED: "red", Result.NOT_JUDGED: "yellow", Result.NOT_APPLICABLE: "dim"}
_GRAVEST_FIRST = tuple(Severity)
_OPEN = (Result.VIOLATED, Result.NOT_JUDGED)


def audit(
    everything: bool = typer.Option(False, "--all", help="Show what is satisfied or not applicable, too."),
    platform: Annotated[
        Path | None,
        typer.Option("--platform", metavar="FILE", help="The platform's query of gateways, as .csv or .xlsx."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write all of it as a page, Chinese and English.")
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Read lists, sessions, versions, routes, clocks from the hosts, too."),
    ] = False,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="ID", envvar="DRILLCTL_PERSON", help="Who answers for --live, on a real site."),
    ] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Judge inventory and records by the clauses of the access specifications; exit 1 where an error is found."""
    places = Places()
    known = places.site(site)
    found = audited(places, known, platform, partial(live_facts, places, known, by) if live else None)
    if html is not None:
        _write(html, known, found)
    if as_json:
        typer.echo(json.dumps([item.model_dump(mode="json") for item in found.findings], ensure_ascii=False, indent=2))
    else:
        _show(found, everything)
    for item in found.idle:
        typer.echo(_idle(item), err=True)
    raise typer.Exit(1 if any(item.is_error for item in found.findings) else 0)


def _write(file: Path, site: LoadedSite, found: Audited) -> None:
    page = render(
        AuditSheet(site.topology.site.title, found.today, site.digest, found.findings, found.idle, found.live)
    )
    try:
        replace(file, page.encode())
    except OSError as error:
        raise DefinitionError(f"--html {file}: expected to write the page there, found: {error.strerror}") from error
    typer.echo(f"wrote {file}", err=True)


def _show(found: Audited, everything: bool) -> None:
    """Grouped by result, the gravest first. Findings quote people and files: nothing in them is markup."""
    console = Console(soft_wrap=True, highlight=False)
    for result in (Result.VIOLATED, Result.NOT_JUDGED, Result.SATISFIED, Result.NOT_APPLICABLE):
        items = [item for item in found.findings if item.result is result]
        if result is Result.VIOLATED:
            _group(console, "violated", _gravest_first(item for item in items if item.is_open), found)
            _group(console, "waived", _gravest_first(item for item in items if not item.is_open), found)
        elif everything or result in _OPEN:
            _group(console, result.value.replace("_", " "), items, found)
    if found.live is not None:
        console.print(Text(f"read from the hosts at {found.live.read_at}; nothing was changed", "dim"))
    console.print(_counted(found))


def _gravest_first(items: Iterable[Finding]) -> list[Finding]:
    return sorted(items, key=lambda item: _GRAVEST_FIRST.index(item.severity))


def _group(console: Console, name: str, items: list[Finding], found: Audited) -> None:
    if not items:
        return
    console.print(Text(f"{name.upper()} ({len(items)})", f"bold {_COLOUR[items[0].result]}"))
    for item in items:
        told = f"  {item.severity.value}" if item.result in _OPEN else ""
        console.print(Text.assemble(("  " + item.clause, "bold"), told, f"  {item.rule}  {item.where}"))
        console.print(Text(f"    {item.text.en}"))
        for line in _more(item, found):
            console.print(Text(f"    {line}", "dim"))


def _more(item: Finding, found: Audited) -> Iterable[str]:
    """What to do, who bears it, and since when it is open."""
    if item.mend and item.result in _OPEN and item.waived is None:
        yield f"→ {item.mend.en}"
    if item.waived:
        yield f"waived until {item.waived.until} by {item.waived.by}: {item.waived.reason}"
    if item.first_seen:
        days = (found.today - item.first_seen).days
        yield f"first seen {item.first_seen}, {days} day{'' if days == 1 else 's'}"


def _counted(found: Audited) -> str:
    counts = {
        result: sum(item.result is result and item.waived is None for item in found.findings) for result in Result
    }
    said = ", ".join(f"{count} {result.value}" for result, count in counts.items())
    waived = sum(item.waived is not None for item in found.findings)
    more = f", {waived} waived" if waived else ""
    errors = sum(item.is_error for item in found.findings)
    return f"{len(found.findings)} judgements: {said}{more}; {errors} errors"


def _idle(item: IdleWaiver) -> str:
    waiver = item.waiver
    named = f"waiver of {waiver.rule} at {waiver.where}"
    if item.why == "expired":
        return f"{named}: expired on {waiver.until}; it counts no more. Mend the finding, or have it borne anew"
    return f"{named}: nothing is violated there; remove it, or correct `rule` and `where`"

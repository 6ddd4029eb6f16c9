"""`drillctl schedule decline`: why the firm takes no part in an announced test (SSCC-3.5), on the ledger for good."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.evidence.keeping import reading, said, writing
from orchestrator.cli.options import DEFAULT_SITE, Site
from orchestrator.errors import DefinitionError, Refused
from orchestrator.loader.announcement import FILE, load_announcement
from orchestrator.model.evidence import LedgerKind, LedgerLine
from orchestrator.model.people import People
from orchestrator.wiring.places import Places

OBSERVED = "observe-only"  # the drill by which an announced test is taken part in


def decline(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in one line; for the annual summary.")],
    by: Annotated[
        str, typer.Option("--by", metavar="PERSON", envvar="DRILLCTL_PERSON", help="Who you are, by people.yml.")
    ],
    announcement: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help=f"The announced test; default: the site's {FILE}.")
    ] = None,
    site: Site = DEFAULT_SITE,
) -> None:
    """File the reason for not taking part in an announced test: once for each announcement, and never taken back."""
    places = Places()
    loaded = places.site(site)
    told = load_announcement(announcement or loaded.folder / FILE, loaded.topology)
    _known(loaded.topology.people, by)
    name = loaded.topology.site.name
    before = next(
        (item for item in declined(reading(places).lines(), name) if item["announcement"] == told.number), None
    )
    if before:
        raise Refused("DECLINED_BEFORE", f"expected no reason filed for {told.number}, found that of {before['by']}")
    data = {
        "site": name,
        "drill": OBSERVED,
        "title": told.title.model_dump(mode="json"),
        "announcement": told.number,
        "reason": said("--reason", reason),
        "by": by,
        "planned_for": f"{told.phases[0].begins:%Y-%m-%d}",
    }
    writing(places, site).append(LedgerKind.RUN_CANCELLED, data)
    typer.echo(f"{told.number} ({told.title.en}): not taking part, reason on the ledger: {data['reason']}")


def declined(lines: Iterable[LedgerLine], site: str) -> list[dict[str, Any]]:
    """What was filed for announced tests of a site, oldest first."""
    return [
        line.data
        for line in lines
        if line.kind is LedgerKind.RUN_CANCELLED and line.data.get("site") == site and "announcement" in line.data
    ]


def _known(people: People, name: str) -> None:
    known = [person.id for person in people.people]
    if name not in known:
        raise DefinitionError(f"--by: expected a person of people.yml ({', '.join(known) or 'nobody'}), found {name}")

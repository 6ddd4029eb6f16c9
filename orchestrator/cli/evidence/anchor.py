"""`drillctl evidence anchor`: send the ledger's head elsewhere."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from orchestrator.adapters.anchors import Result, Sent
from orchestrator.cli.delivery import deliver
from orchestrator.cli.evidence.keeping import writing
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.errors import DefinitionError
from orchestrator.loader.evidence import FILE, load_evidence
from orchestrator.model.evidence import Anchor, LedgerHead
from orchestrator.wiring.places import Places


def anchor(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ID", help="An anchor of evidence.yml; default: every one.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Reach nobody: lay out what SFTP and mail would send in reports/outbox/.")
    ] = False,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Send the ledger's head to every anchor of evidence.yml; exit 1 where one did not take it.

    What an anchor does not take is laid out in reports/outbox/ for something else to carry.
    """
    places = Places()
    chosen = _chosen(load_evidence(places.site_folder(site)).anchors, only or [], site)
    head, results = deliver(writing(places, site), chosen, offline=offline)
    _show(results, head, as_json=as_json)
    good = (Result.ANCHORED, Result.OUTBOX) if offline else (Result.ANCHORED,)
    raise typer.Exit(0 if all(item.result in good for item in results) else 1)


def _chosen(anchors: Sequence[Anchor], only: Sequence[str], site: Site) -> list[Anchor]:
    known = [item.id for item in anchors]
    if not anchors:
        raise DefinitionError(f"{site}/{FILE}: expected anchors to send the ledger's head to, found none")
    unknown = next((name for name in only if name not in known), None)
    if unknown:
        raise DefinitionError(f"--only {unknown}: expected an anchor of {FILE} ({', '.join(known)}), found none")
    return [item for item in anchors if not only or item.id in only]


def _show(results: Sequence[Sent], head: LedgerHead, *, as_json: bool) -> None:
    text = f"{head.size}:{head.digest}"
    if as_json:
        typer.echo(json.dumps({"head": text, "anchors": [asdict(item) for item in results]}, ensure_ascii=False))
        return
    typer.echo(f"head {text}")
    for item in results:
        typer.echo(f"{item.anchor} ({item.kind}): {item.result}: {item.detail}")

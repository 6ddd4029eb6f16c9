"""What the verbs that read or add to the ledger share."""

from pathlib import Path

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.errors import DefinitionError
from orchestrator.evidence.ledger import Ledger
from orchestrator.loader.evidence import load_evidence
from orchestrator.wiring.places import Places
from orchestrator.wiring.seals import ledger_with, seals_of


def reading(places: Places) -> Ledger:
    """The ledger, to be read only."""
    return Ledger(places.ledger, SystemClock())


def writing(places: Places, name: Path) -> Ledger:
    """The ledger; its head is signed by the firm's certificate where the site names one, else by local keys."""
    site = places.site(name)
    settings = load_evidence(site.folder)
    seals = seals_of(places, site, settings, simulated=settings.signing is None)
    return ledger_with(places, seals, lambda text: typer.echo(text, err=True))


def said(option: str, text: str) -> str:
    """What a person must say in words. DefinitionError: nothing, or more than one line."""
    plain = text.strip()
    if not plain or "\n" in plain:
        raise DefinitionError(f"{option}: expected one line of text, found {'nothing' if not plain else 'several'}")
    return plain

"""With what runs are signed and stamped, and the ledger that they stand in."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.timestamping import HttpStamper
from orchestrator.evidence.keys import firm_keys, local_keys, make_local_keys
from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.pack import Seals
from orchestrator.evidence.sign import sign_detached
from orchestrator.evidence.stamp import InternalStamper
from orchestrator.loader.site import LoadedSite
from orchestrator.model.evidence import EvidenceSettings
from orchestrator.wiring.places import Places


def seals_of(places: Places, site: LoadedSite, settings: EvidenceSettings, *, simulated: bool) -> Seals:
    """What a run of this site is signed and stamped with: rehearsals with local keys, made when there are none; runs
    on the real site with what `evidence.yml` names, or not at all.
    """
    name, title = site.topology.site.name, site.topology.site.title.en
    local = local_keys(places.keys(name))
    if not simulated:
        stamping = settings.stamping
        return Seals(
            firm_keys(settings.signing, site.folder, local) if settings.signing else None,
            HttpStamper(stamping.url) if stamping else None,
            Path(stamping.certificates) if stamping else None,
        )
    keys = local or make_local_keys(places.keys(name), title, datetime.now(UTC))
    keys = keys if settings.sm2 else replace(keys, sm2=None)
    return Seals(keys, InternalStamper(keys.tsa) if keys.tsa else None)


def ledger_with(places: Places, seals: Seals, said: Callable[[str], None]) -> Ledger:
    """The ledger of all runs; its head is signed by whoever signs here."""
    keys = seals.keys
    sign = partial(sign_detached, keys) if keys and keys.key else None
    return Ledger(places.ledger, SystemClock(), sign, said)

"""An audit as command and server make it: with the firm's records, its waivers, and since when findings are open."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from orchestrator.adapters.audit_history import AuditHistory
from orchestrator.adapters.clock import SystemClock
from orchestrator.loader.platform_export import read_export
from orchestrator.loader.records import load_records
from orchestrator.loader.site import LoadedSite
from orchestrator.model.audit import Finding
from orchestrator.model.platform_export import PlatformExport
from orchestrator.model.records import Export, Records
from orchestrator.rules.facts import Facts, Live
from orchestrator.rules.rulebook import audit as judge_inventory
from orchestrator.rules.seen import Seen, dated, seen
from orchestrator.rules.waivers import IdleWaiver, idle, waive
from orchestrator.wiring.places import Places


@dataclass(frozen=True)
class Audited:
    """What an audit says on a day. `idle`: waivers that bear nothing."""

    today: date
    findings: tuple[Finding, ...]
    idle: tuple[IdleWaiver, ...]
    live: Live | None = None


def audited(
    places: Places, site: LoadedSite, platform: Path | None = None, look: Callable[[Records], Live] | None = None
) -> Audited:
    """Judge a site today. DefinitionError where records.yml or the platform's export is wrong.

    `platform`: an export in place of the one on record. `look`: reads the hosts, with what the firm has on record.
    """
    today = datetime.fromtimestamp(SystemClock().now(), ZoneInfo(site.topology.site.timezone)).date()
    records = load_records(site.folder, site.topology, today)
    export = _platform(site.folder, records, platform)
    live = look(records) if look else None
    facts = Facts(site.topology, today, records, export, live)
    found = waive(judge_inventory(facts), records.waivers, today)
    history = AuditHistory(places.state(site.topology.site.name))
    before = history.read()
    found = dated(found, before, today)
    _keep(history, seen(found, before))
    return Audited(today, tuple(found), tuple(idle(found, records.waivers, today)), live)


def _platform(folder: Path, records: Records, given: Path | None) -> PlatformExport | None:
    how = records.platform.export if records.platform else Export()
    file = given or (folder / how.file if how.file else None)
    return read_export(file, how) if file else None


def _keep(history: AuditHistory, found: Seen) -> None:
    """An audit tells what it found also where nothing can be written."""
    try:
        history.keep(found)
    except OSError as error:
        typer.echo(f"since when findings are open is not kept: {error}", err=True)

"""Reading the hosts for `drillctl audit --live`: on a real site when a person answers for it, on a twin inside it."""

import secrets
from datetime import datetime
from zoneinfo import ZoneInfo

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.live_facts import LiveFacts
from orchestrator.cli.support_asked import consent_of
from orchestrator.errors import Refused
from orchestrator.loader.site import LoadedSite
from orchestrator.model.records import Records
from orchestrator.rules.facts import Live
from orchestrator.twin import Twin
from orchestrator.wiring.places import Places
from orchestrator.wiring.runs import ssh_on_site


def live_facts(places: Places, site: LoadedSite, by: str | None, records: Records) -> Live:
    """One look at every host. Refused as `triage` is: without access.yml, or without a person's name."""
    twin = Twin.current()
    if twin is None and by is None:
        raise Refused(
            "NOT_APPROVED",
            "hosts of a real site are contacted only when a person answers for it by name; expected --by ID, found "
            "none; nothing was contacted. On a twin: `drillctl twin exec NAME -- drillctl audit --live`",
        )
    consent_of(site, twin, by, "audit --live")
    at = datetime.fromtimestamp(SystemClock().now(), ZoneInfo(site.topology.site.timezone))
    name = f"audit-{secrets.token_hex(4)}"
    ssh = twin.ssh_settings(name) if twin else ssh_on_site(site, site.folder, name)
    try:
        facts = LiveFacts(site, ssh, places.playbooks / "onhost", records.log_archives)
        return facts.read(at.isoformat(timespec="seconds"), _told)
    finally:
        if twin is None:
            ssh.close(site)


def _told(host: str, why: str) -> None:
    typer.echo(f"{host}: {why or 'read'}", err=True)

"""`drillctl access`: whether every host of a real site can be reached, and whether our programs can run there."""

import json
import secrets
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from orchestrator.adapters.first_look import FirstLook, Found
from orchestrator.adapters.ssh import SshTarget, ssh_targets
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.support_asked import consent_of
from orchestrator.errors import DefinitionError
from orchestrator.loader.site import LoadedSite
from orchestrator.wiring.places import Places
from orchestrator.wiring.runs import ssh_on_site

_LEAD = 12


def access(
    hosts: Annotated[
        list[str] | None, typer.Argument(metavar="[HOST]", help="Hosts or routers of the site; default: every one.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="ID", envvar="DRILLCTL_PERSON", help="Who answers for it.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why the hosts are contacted.")] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Take a first look at the hosts of a real site, as access.yml says; exit 1 where one cannot be used yet.

    Logs in, asks for Python, account, clock and readable files, changes nothing.
    """
    places = Places()
    loaded = places.site(site)
    consent_of(loaded, None, by, reason)
    chosen = _chosen(loaded, hosts)
    ssh = ssh_on_site(loaded, loaded.folder, f"access-{secrets.token_hex(4)}")
    console = Console(stderr=as_json, soft_wrap=True, highlight=False)
    found: list[Found] = []
    try:
        for item in FirstLook(ssh, places.playbooks / "onhost", loaded.topology).at(chosen):
            found.append(item)
            console.print(_line(item))
    finally:
        ssh.close(loaded)
    bad = [item for item in found if item.wrong]
    console.print(f"{len(found)} hosts, {len(bad)} of them cannot be used yet; nothing was changed")
    if as_json:
        typer.echo(json.dumps([asdict(item) for item in found], ensure_ascii=False, indent=2))
    raise typer.Exit(1 if bad else 0)


def _chosen(site: LoadedSite, names: list[str] | None) -> list[SshTarget]:
    known = ssh_targets(site, site.access)
    unknown = sorted(set(names or ()) - known.keys())
    if unknown:
        raise DefinitionError(f"expected hosts of the site ({', '.join(known)}), found {', '.join(unknown)}")
    return [target for name, target in known.items() if not names or name in names]


def _line(found: Found) -> Text:
    """Names and reasons come from hosts: nothing in them is markup."""
    offset = "" if found.clock_offset_s is None else f"clock {found.clock_offset_s:+.3f} s"
    seen = "  ".join(part for part in (found.python and f"Python {found.python}", found.account, offset) if part)
    if not found.wrong:
        return Text.assemble((f"{found.host:<{_LEAD}} ", "bold"), ("reached  ", "green"), seen)
    return Text.assemble(
        (f"{found.host:<{_LEAD}} ", "bold"), (found.wrong, "bold red"), f"\n{'':<{_LEAD}} → {found.mend}"
    )

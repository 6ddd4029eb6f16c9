"""`drillctl support-bundle`: logs, data files, versions and state of gateways for whoever helps to find a fault."""

import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.text import Text

from orchestrator import __version__
from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.collecting import Collector, Looked
from orchestrator.adapters.collecting_program import Asked
from orchestrator.adapters.secrets import Mask, of_this_machine
from orchestrator.adapters.ssh import SshSettings
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.support_asked import Consent, chosen_of, consent_of, in_bytes, limits_of, since_of
from orchestrator.errors import DefinitionError
from orchestrator.evidence.keys import local_keys
from orchestrator.evidence.redact import KEY_FILE, run_key
from orchestrator.evidence.support import seal
from orchestrator.journal import RunState
from orchestrator.loader.evidence import load_evidence
from orchestrator.loader.site import LoadedSite
from orchestrator.model.support import SupportManifest
from orchestrator.model.topology import Gateway
from orchestrator.twin import Twin
from orchestrator.twin.state import KEY
from orchestrator.wiring.places import Places
from orchestrator.wiring.runs import ssh_on_site

_FOLDER = "support"
_WHOLE, _FILE = "200M", "20M"  # our choice: compressed, what a mail or an upload takes


def support_bundle(  # noqa: PLR0913, PLR0917 - one parameter for each option
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id: the gateways that it affected are looked at.")
    ] = None,
    gateways: Annotated[
        str | None, typer.Option("--gateways", metavar="ID,…", help="These gateways, by id or number, or `all`.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where the bundle goes; default: reports/support/.")
    ] = None,
    max_size: Annotated[
        str, typer.Option("--max-size", metavar="SIZE", help="At most so much in all, shared equally by the hosts.")
    ] = _WHOLE,
    max_file: Annotated[
        str, typer.Option("--max-file", metavar="SIZE", help="At most so much of one file: its newest part.")
    ] = _FILE,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only files changed since: 90m, 12h, 3d or 2026-11-21T08:30."),
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option("--leave-out", metavar="PATH", help="Not these files; may hold * and ?.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="ID", help="Who answers for it: of people.yml.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; stands in the bundle.")] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Gather logs, data files, versions and state of gateways, redacted, as one file to hand to support (SSCC-2.7).

    Reads only. Outside a twin hosts are contacted only with --by and --reason. Exit 1 where a host could not be seen.
    """
    places = Places()
    loaded = places.site(site)
    found = _run(places, loaded, run)
    chosen = chosen_of(loaded, gateways, found)
    limits = limits_of(chosen, max_size, max_file)
    changed_since = since_of(since, ZoneInfo(loaded.topology.site.timezone)) if since else None
    twin = Twin.current()
    consent = consent_of(loaded, twin, by, reason)
    asked = Asked(limits, _key(found), changed_since, tuple(leave_out or ()))
    making = _Making(places, loaded, twin, found, asked, consent, _mask(places, site, loaded, twin))
    console = Console(stderr=as_json, soft_wrap=True, highlight=False)
    with _draft(to or places.reports / _FOLDER) as draft:
        made = making.gather(chosen, draft, console)
    _show(console, *made, as_json=as_json)
    raise typer.Exit(1 if made[0].unseen else 0)


def _run(places: Places, site: LoadedSite, run: str | None) -> RunState | None:
    """Refused NO_RUN: there is no such run."""
    if run is None:
        return None
    journal = places.journal(site.topology.site.name)
    try:
        return journal.state(run)
    finally:
        journal.close()


@dataclass(frozen=True)
class _Making:
    """A bundle in the making. Its clock and its redaction key are of now."""

    places: Places
    site: LoadedSite
    twin: Twin | None
    run: RunState | None
    asked: Asked
    consent: Consent
    mask: Mask

    def gather(self, chosen: Sequence[Gateway], draft: Path, console: Console) -> tuple[SupportManifest, Path, str]:
        """The manifest, where the bundle is, and its sha256."""
        with self._reached() as ssh:
            gathering = Collector(self.site, ssh, self.places.playbooks / "onhost", self.asked, self.mask, draft)
            hosts = len({item.host for item in chosen})
            with console.status(f"reading {len(chosen)} gateways on {hosts} hosts"):
                looked = gathering.collect(chosen, lambda item: console.print(_line(item)))
        manifest = self._manifest(looked)
        target = draft.parent / f"{manifest.bundle}.zip"
        with console.status("looking for known secrets, then packing"):
            digest = seal(draft, manifest, self.mask.secrets, target)
        return manifest, target, digest

    @contextmanager
    def _reached(self) -> Iterator[SshSettings]:
        """Refused: REAL_SITE, NO_ACCESS."""
        if self.twin is not None:
            yield self.twin.ssh_settings()
            return
        ssh = ssh_on_site(self.site, self.site.folder, f"support-{secrets.token_hex(4)}")
        try:
            yield ssh
        finally:
            ssh.close(self.site)

    def _manifest(self, looked: Sequence[Looked]) -> SupportManifest:
        topology = self.site.topology
        zone = ZoneInfo(topology.site.timezone)
        now, since = datetime.fromtimestamp(SystemClock().now(), zone), self.asked.since
        return SupportManifest(
            bundle=f"support-{topology.site.name}-{now:%Y%m%dT%H%M%S}",
            made_at=now.isoformat(timespec="seconds"),
            timezone=topology.site.timezone,
            site=topology.site.name,
            title=topology.site.title,
            inventory_digest=self.site.digest,
            simulated=self.twin is not None,
            made_with=f"drillctl {__version__}",
            by=self.consent.by,
            reason=self.mask.text(self.consent.reason),
            run=self.run.run if self.run else "",
            since="" if since is None else datetime.fromtimestamp(since, zone).isoformat(timespec="seconds"),
            leave_out=self.asked.leave_out,
            limits=self.asked.limits,
            hosts=tuple(item.host for item in looked),
            gateways=tuple(gateway for item in looked for gateway in item.gateways),
            files=tuple(file for item in looked for file in item.files),
        )


def _mask(places: Places, name: Path, site: LoadedSite, twin: Twin | None) -> Mask:
    keys = local_keys(places.keys(site.topology.site.name))
    private = [path for path in (twin.folder / KEY if twin else None, keys.key if keys else None) if path is not None]
    return of_this_machine(site, load_evidence(places.site_folder(name)).secrets, private)


def _key(run: RunState | None) -> bytes:
    """That of the run, so that digests compare with those of its pack; else one that nobody keeps."""
    if run is not None and (run.folder / KEY_FILE).is_file():
        return run_key(run.folder)
    return secrets.token_bytes(32)


@contextmanager
def _draft(to: Path) -> Iterator[Path]:
    """A folder for this user alone, where the bundle will be; gone afterwards, whatever happens."""
    try:
        to.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".support-", dir=to))
    except OSError as error:
        raise DefinitionError(f"--to {to}: expected a folder to write to, found: {error.strerror or error}") from error
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _line(looked: Looked) -> Text:
    """What came of one host. Names and reasons come from hosts: nothing in them is markup."""
    host, taken = looked.host, [item for item in looked.files if item.name]
    parts: list[Text | str] = [Text(f"{host.id:<12} ", "bold")]
    if host.facts is not None:
        size = in_bytes(sum(item.bytes for item in taken))
        parts.append(f"{len(taken)} files, {size}, clock {host.facts.clock_offset_s:+.3f} s, {host.took_s:.1f} s")
    if host.could_not_look:
        parts += ["; " if host.facts else "", Text(f"could not look: {host.could_not_look}", "red")]
    return Text.assemble(*parts)


def _show(console: Console, manifest: SupportManifest, target: Path, digest: str, *, as_json: bool) -> None:
    taken = manifest.taken
    missing = len(manifest.files) - len(taken)
    if as_json:
        data = {
            "bundle": str(target),
            "sha256": digest,
            "bytes": target.stat().st_size,
            "files": len(taken),
            "truncated": sum(item.is_truncated for item in taken),
            "missing": missing,
            "could_not_look": {host.id: host.could_not_look for host in manifest.unseen},
        }
        typer.echo(json.dumps(data, ensure_ascii=False))
        return
    cut = sum(item.is_truncated for item in taken)
    console.print(f"{len(taken)} files, {cut} cut to their newest part; {missing} not taken (MANIFEST.json says why)")
    console.print(f"bundle: {target}\n  {in_bytes(target.stat().st_size)}, sha256 {digest}", markup=False)
    if manifest.unseen:
        names = ", ".join(host.id for host in manifest.unseen)
        console.print(Text(f"not complete: {names} could not be looked at, or not to the end", "bold red"))

"""`drillctl triage`: what is down now, which fault it looks like, and which switchover fits. Changes nothing."""

import json
import secrets
import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.sampler import Sampler
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.support_asked import consent_of
from orchestrator.loader.drill import load_drills
from orchestrator.loader.site import LoadedSite
from orchestrator.measure import front_of
from orchestrator.model.drill import Drill, ParameterType
from orchestrator.model.topology import Topology
from orchestrator.planner.triage import Difference, Picture, Proposal, differences, proposals
from orchestrator.twin import Twin, ensure_sealed
from orchestrator.wiring.places import Places
from orchestrator.wiring.runs import ssh_on_site

_LOOK_S = 8.0  # our choice: a host that has not answered by then is silent
_SHOWN = 3  # our choice: more proposals than that help nobody at three in the morning


def triage(
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="ID", envvar="DRILLCTL_PERSON", help="Who answers for it, on a real site."),
    ] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Look at every gateway and router now, and say what is down, which fault that looks like and what would help."""
    places = Places()
    loaded = places.site(site)
    twin = Twin.current()
    if twin is None:
        consent_of(loaded, None, by, "triage")
    if twin is not None:
        ensure_sealed()
    clock = SystemClock()
    began, now = clock.monotonic(), datetime.fromtimestamp(clock.now(), ZoneInfo(loaded.topology.site.timezone))
    seen = _picture(places, loaded, twin)
    wrong = differences(loaded.topology, seen)
    found = proposals(loaded.topology, load_drills(places.drills), seen, now.date()) if wrong else []
    took_s = clock.monotonic() - began
    if as_json:
        typer.echo(json.dumps(_as_data(now, took_s, seen, wrong, found), ensure_ascii=False, indent=2))
        return
    _show(Console(soft_wrap=True, highlight=False), loaded.topology, now, took_s, wrong, found, site)


def _picture(places: Places, site: LoadedSite, twin: Twin | None) -> Picture:
    """What the hosts say of themselves, over one connection each; nothing is left behind."""
    topology = site.topology
    wanted = {gateway.id for gateway in topology.scriptable_gateways}
    routers = {router.id for router in topology.routers if router.driver == "linux"}
    with TemporaryDirectory(prefix="drillctl-triage-") as scratch:
        name = f"triage-{secrets.token_hex(4)}"
        ssh = twin.ssh_settings(name) if twin else ssh_on_site(site, site.folder, name)
        sampler = Sampler(site, ssh, places.playbooks / "onhost", Path(scratch), topology.site.sample_interval_ms)
        sampler.start()
        try:
            sampler.wait_for(
                lambda: wanted <= set(sampler.latest()) and routers <= set(sampler.latest_routes()), _LOOK_S
            )
            latest, routes = sampler.latest(), sampler.latest_routes()
        finally:
            sampler.stop()
            if twin is None:
                ssh.close(site)
    hosts = {gateway.host for gateway in topology.scriptable_gateways}
    answered = {sample.host for sample in latest.values()}
    fronts = {
        gateway.id: front_of(topology, latest[gateway.id])
        for gateway in topology.gateways
        if gateway.enabled and gateway.id in latest
    }
    return Picture(fronts, {name: dict(sample.lines) for name, sample in routes.items()}, frozenset(hosts - answered))


def _as_data(
    now: datetime, took_s: float, seen: Picture, wrong: Sequence[Difference], found: Sequence[Proposal]
) -> dict[str, Any]:
    return {
        "at": now.isoformat(timespec="seconds"),
        "took_s": round(took_s, 3),
        "gateways": dict(seen.fronts),
        "routers": {name: dict(lines) for name, lines in seen.lines.items()},
        "silent_hosts": sorted(seen.silent),
        "wrong": [_difference(item) for item in wrong],
        "proposals": [
            {
                "drill": item.drill.drill,
                "parameters": dict(item.parameters),
                "fits": item.fits,
                "differences": [_difference(one) for one in item.differences],
                "moves": item.moves(),
            }
            for item in found
        ],
    }


def _difference(item: Difference) -> dict[str, str | None]:
    return {"what": item.what, "expected": item.expected, "found": item.found}


def _show(
    console: Console,
    topology: Topology,
    now: datetime,
    took_s: float,
    wrong: Sequence[Difference],
    found: Sequence[Proposal],
    site: Path,
) -> None:
    console.print(Text(f"{now:%Y-%m-%d %H:%M:%S}, looked for {took_s:.1f} s; nothing was changed", "dim"))
    if not wrong:
        console.print(Text("Everything is as on a normal day. 一切正常", "bold green"))
        return
    console.print(Text(f"\nNOT AS ON A NORMAL DAY 异常: {len(wrong)}", "bold red"))
    console.print(_table(topology, wrong))
    if not found:
        console.print(
            Text("\nNo drill of this site explains it. Call SSCC operations: `drillctl calls`", "bold yellow")
        )
        return
    console.print(Text("\nIT LOOKS LIKE 初步判断", "bold"))
    for number, item in enumerate(found[:_SHOWN], 1):
        _propose(console, topology, number, item, site)


def _table(topology: Topology, wrong: Sequence[Difference]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("WHAT", "NORMALLY", "NOW"):
        table.add_column(column, overflow="fold")
    for item in wrong:
        gateway = topology.gateway.get(item.what)
        name = f"{gateway.number} {gateway.title.zh} ({item.what})" if gateway else item.what
        now = Text(
            item.found or ("not logged in 未登录" if gateway else "no route"), "red" if not item.found else "yellow"
        )
        table.add_row(name, item.expected or "-", now)
    return table


def _propose(console: Console, topology: Topology, number: int, item: Proposal, site: Path) -> None:
    told = {name: value for name, value in item.parameters.items() if value != _manner(item.drill, name)}
    settings = [word for name, value in told.items() for word in ("--set", f"{name}={value}")]
    how = "explains everything" if item.fits else f"leaves {len(item.differences)} unexplained"
    console.print(
        Text(f"{number}. {item.drill.title.zh} {item.drill.title.en}: {how}", "bold green" if item.fits else "")
    )
    if item.is_suspension:
        first = (
            "first of all ask SSCC operations 0755-83182222 whether they have suspended the access: then move nothing"
        )
        console.print(Text(f"   {first} 先致电深证通核实是否暂停接入", "bold yellow"))
    numbers = [topology.gateway[name].number for name in item.moves()]
    does = f"may move {', '.join(numbers)}" if numbers else "moves nothing: the gateways' own lists and the network do"
    console.print(f"   {does}")
    where = [] if site == DEFAULT_SITE else ["--site", str(site)]
    words = ["drillctl", "switchover", item.drill.drill, *settings, *where]
    console.print(Text(f"   {shlex.join(words)} --reason TEXT", "cyan"))


def _manner(drill: Drill, name: str) -> str | None:
    """How something fails, where it is as the drill has it, is nothing to type."""
    parameter = drill.parameters[name]
    return parameter.default if parameter.type is ParameterType.MANNER else None

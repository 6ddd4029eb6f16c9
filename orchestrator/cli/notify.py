"""`drillctl notify`: what waits to be told to people, and the sender that tells it."""

import json
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.text import Text

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.notify import Delivered, deliver_outbox, missing
from orchestrator.adapters.outbox import FAILED, Outbox
from orchestrator.cli.needs import on_site
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.telling import outbox_of
from orchestrator.loader.notify import FILE, load_notify
from orchestrator.loader.people import zone_of
from orchestrator.model.notify import Channel, Notice
from orchestrator.report.notices import trial_notice
from orchestrator.wiring.places import Places


def notify(
    once: Annotated[
        bool, typer.Option("--once", help="Send what is due, once; without it only show what waits.")
    ] = False,
    test: Annotated[bool, typer.Option("--test", help="Send a test to every channel now.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Try again what was given up.")] = False,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Tell people of runs over the channels of notify.yml: show what waits, or send it. Runs themselves never wait."""
    places = Places()
    folder, name = places.site_folder(site), places.site_name(site)
    settings, outbox = load_notify(folder), outbox_of(places, name)
    if not settings.channels:
        _say(f"no channels: {folder / FILE} names none, so nobody is told", as_json=as_json)
    if again:
        _say(f"to be tried again: {outbox.again()}", as_json=as_json)
    if test and settings.channels:
        outbox.put(trial_notice(name, SystemClock().now(), secrets.token_hex(4)))
    if not (once or test):
        _show(outbox, settings.channels, ZoneInfo(zone_of(folder)), site, as_json=as_json)
        return
    told = deliver_outbox(outbox, settings, SystemClock().now) if settings.channels else Delivered()
    _tell(told, outbox, as_json=as_json)
    raise typer.Exit(1 if told.problems or told.given_up else 0)


def _say(text: str, *, as_json: bool) -> None:
    typer.echo(text, err=as_json)


def _tell(told: Delivered, outbox: Outbox, *, as_json: bool) -> None:
    """What one pass came to."""
    if as_json:
        problems = [{"notice": key[0], "channel": key[1], "problem": text} for key, text in told.problems.items()]
        sent = [{"notice": notice, "channel": channel} for notice, channel in told.sent]
        document = {"sent": sent, "problems": problems, "given_up": told.given_up, "waiting": told.waiting}
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    console = Console(soft_wrap=True, highlight=False)
    for notice, channel in told.sent:
        console.print(Text.assemble((f"{channel}: ", "green"), notice))
    for (notice, channel), problem in told.problems.items():
        console.print(Text.assemble((f"{channel}: not sent: ", "bold red"), f"{notice}: {problem}"))
    for notice in told.given_up:
        console.print(
            Text(f"given up: {notice}; it lies in {outbox.folder / FAILED}, --again tries it again", "bold red")
        )
    console.print(f"sent {len(told.sent)}, failed {len(told.problems)}, still waiting {told.waiting}")


def _show(outbox: Outbox, channels: Sequence[Channel], zone: ZoneInfo, site: Path, *, as_json: bool) -> None:
    """What waits, for which channel, since when; and what was given up."""
    waiting = [(item.notice, missing(item, channels)) for item in outbox.waiting()]
    given_up = outbox.given_up()
    if as_json:
        rows = [_row(notice, {name: item.model_dump() for name, item in left.items()}) for notice, left in waiting]
        names = [channel.id for channel in channels]
        typer.echo(json.dumps({"channels": names, "waiting": rows, "given_up": given_up}, ensure_ascii=False))
        return
    console = Console(soft_wrap=True, highlight=False)
    for notice, left in waiting:
        at = datetime.fromtimestamp(notice.at, zone)
        console.print(Text.assemble(f"{at:%m-%d %H:%M}  ", (notice.title.en, "bold"), f"  {notice.id}"))
        for name, item in left.items():
            tried = f"tried {item.attempts}×, {item.problem}" if item.attempts else "not tried yet"
            console.print(Text(f"  {name}: {tried}", "yellow" if item.attempts else "dim"))
    for name in given_up:
        console.print(Text(f"given up: {name}", "bold red"))
    if waiting:
        console.print(f"{len(waiting)} waiting; `drillctl notify --once{on_site(site)}` sends what is due")
    else:
        console.print("nothing waits")


def _row(notice: Notice, left: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": notice.id,
        "kind": notice.kind.value,
        "at": notice.at,
        "title": notice.title.model_dump(),
        "missing": left,
    }

"""`drillctl serve`: what has to happen while nobody is at the keyboard, for a service manager or a crontab."""

import json
import signal
import threading
from functools import partial
from types import FrameType
from typing import Annotated

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.one_server import only_server
from orchestrator.adapters.service_manager import tell
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.serving.audits import Audits
from orchestrator.cli.serving.clocks import Clocks
from orchestrator.cli.serving.desk import Desk
from orchestrator.cli.serving.rounds import Rounds, Task
from orchestrator.cli.serving.scheduled import Scheduled
from orchestrator.cli.serving.sender import Sender
from orchestrator.cli.serving.unattended import Unattended
from orchestrator.errors import DefinitionError
from orchestrator.wiring.places import Places


def serve(
    once: Annotated[bool, typer.Option("--once", help="One round, then exit: for a crontab.")] = False,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Keep the schedule, tell people, audit, and look after runs that nobody attends to. One for each site.

    It may be killed at any moment and started again. A drill on the real site is never begun by it.
    """
    if as_json and not once:
        raise DefinitionError("--json: expected --once with it, found none: a server that goes on has no one document")
    desk = Desk(Places(), site, as_json)
    with only_server(desk.state, desk.name):
        sender = Sender(desk)
        rounds = Rounds(_tasks(desk, sender), SystemClock(), desk.say)
        if once:
            rounds.turn()
            sender.finish()
            if as_json:
                document = {"site": desk.name, "in_trouble": rounds.in_trouble, "said": desk.kept}
                typer.echo(json.dumps(document, ensure_ascii=False))
            raise typer.Exit(1 if rounds.in_trouble else 0)
        _until_told(desk, rounds)


def _tasks(desk: Desk, sender: Sender) -> list[Task]:
    """The sender last: it takes away what the others have laid out."""
    return [
        Task("schedule", Scheduled(desk).act),
        Task("runs", Unattended(desk).act),
        Task("D+N", Clocks(desk).act),
        Task("audit", Audits(desk).act),
        Task("notify", sender.act),
    ]


def _until_told(desk: Desk, rounds: Rounds) -> None:
    """SIGHUP: look at everything now."""
    woken, told = threading.Event(), list[int]()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_ends, told))
    signal.signal(signal.SIGHUP, lambda _number, _frame: woken.set())
    desk.say(f"serving site {desk.name} from {desk.site_folder}; state in {desk.state}")
    tell("READY=1")
    try:
        while not told:
            wait_s = rounds.turn()
            tell("WATCHDOG=1")
            if woken.wait(wait_s):
                woken.clear()
                rounds.hurry()
    finally:
        tell("STOPPING=1")
        if told:
            desk.say(f"ended by {signal.Signals(told[0]).name}; a rehearsal that has begun goes on by itself")


def _ends(told: list[int], number: int, _frame: FrameType | None) -> None:
    """SIGTERM and SIGINT end it at once, wherever it is: everything that it does bears that. The list is for the case
    that the exit is lost in code that lets nothing pass.
    """
    if not told:
        told.append(number)
        raise SystemExit(0)

"""`drillctl status`: the runs of a site and what each needs, or one run whole.

On a terminal what matters stays on the screen: long lists are cut, and of a long journal the newest events are shown.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.lever import Lever
from orchestrator.adapters.recording import NAME, read_observations
from orchestrator.cli.clock_lines import clock_as_data, deadline_lines, milestone_lines
from orchestrator.cli.homeward import WayHome, ways_home
from orchestrator.cli.needs import Standing, as_data, detail, needed, on_site, said, show_needs, standing_of
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.outages import hours_of, outage_lines
from orchestrator.cli.sentences import call_in_words, confirmation_in_words
from orchestrator.errors import DrillctlError
from orchestrator.history import call_of, confirmation_of, epoch_s, open_intents, promotion
from orchestrator.history import calls as calls_of
from orchestrator.history import outages as outages_in
from orchestrator.journal import CLOSED, RunState, SqliteJournal, chain_is_valid
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind
from orchestrator.model.outage import Outage
from orchestrator.model.topology import Topology
from orchestrator.rules.disaster_clock import disaster_clock
from orchestrator.rules.outage import outages_of
from orchestrator.wiring.places import Places, copy_of

_STYLE = {"running": "bold green", "interrupted": "bold red", "waiting": "bold yellow", "paused": "bold yellow"}
_GOOD = ("succeeded", "undone", "skipped")
_SAID: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "call": lambda data: call_in_words(call_of(data)),
    "confirm": lambda data: confirmation_in_words(confirmation_of(data)),
}
_HIDDEN = ("verb", "key", "plan_digest", "silent_since")
_MOST = 6  # our choice: targets named in one line of a journal
_MOST_LOCKS = 12  # our choice: locks of one kind that are named on a terminal
_AROUND = 5  # lines of a screen: a blank one, a second day in the site's own time, the prompt, and two of a lever
_FEWEST_EVENTS = 5  # our choice: newest events that are shown on however small a screen


def status(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run's id; without it, every run.")] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Show the runs of a site and what each needs; of one run also its locks, what is open, and its journal."""
    places = Places()
    name = places.site_name(site)
    journal = places.journal(name)
    lever = places.lever(name).engaged()
    try:
        if run is None:
            _every_run(journal, lever, site, as_json=as_json)
        else:
            _one_run(journal, lever, run, site, places.timezone(site), as_json=as_json)
    finally:
        journal.close()


def _console() -> Console:
    return Console(highlight=False)


def _show_lever(console: Console, lever: Lever | None, site: Path) -> None:
    if lever:
        console.print(Text.assemble((" LEVER ENGAGED ", "bold white on red"), f" {lever.said}"))
        console.print(f"no run goes forward; `drillctl lever release{on_site(site)}` lets them again\n")


def _every_run(journal: SqliteJournal, lever: Lever | None, site: Path, *, as_json: bool) -> None:
    standings = [standing_of(journal, item["run"]) for item in journal.runs()]
    if as_json:
        runs = [{**as_data(item), "needs": _commands(item, site)} for item in standings]
        typer.echo(json.dumps({"lever": asdict(lever) if lever else None, "runs": runs}, ensure_ascii=False))
        return
    console = _console()
    _show_lever(console, lever, site)
    if not standings:
        console.print("no runs yet; `drillctl rehearse single-centre-failure` makes one")
        return
    width = max(len(item.run) for item in standings)
    console.print(Text(f"{'RUN':<{width}}  {'MODE':<9}  STATE", style="bold"))
    for item in standings:
        console.print(_row(item, width), soft_wrap=True)
        show_needs(console, (f"  {line}" for line in (detail(item), *needed(item, site)) if line))
    console.print("[dim]each run's folder is reports/RUN; `drillctl status RUN` shows its journal[/]")


def _row(standing: Standing, width: int) -> Text:
    mode = standing.state.plan.mode.value
    return Text.assemble(f"{standing.run:<{width}}  {mode:<9}  ", (standing.word, _STYLE.get(standing.word, "")))


def _commands(standing: Standing, site: Path) -> list[str]:
    return [line.strip() for line in needed(standing, site) if line.startswith("  drillctl ")]


def _one_run(journal: SqliteJournal, lever: Lever | None, run: str, site: Path, zone: str, *, as_json: bool) -> None:
    standing, events, locks = standing_of(journal, run), journal.events(run), journal.locks(run)
    valid, ways = chain_is_valid(events), list(ways_home(journal, run))
    counted = _outages(standing, events, site)
    if as_json:
        more = {"needs": _commands(standing, site), "locks": locks, "chain_valid": valid}
        found = {**as_data(standing), **more, "open": [_open(event) for event in open_intents(events)]}
        found |= {"events": [event.model_dump(mode="json") for event in events]}
        found["calls"] = [item.model_dump(mode="json") for item in (*calls_of(events), *standing.calls)]
        promoted = promotion(standing.state.plan, events)
        found["promotion"] = promoted.model_dump(mode="json") if promoted else None
        found["outages"] = None if counted is None else [item.model_dump(mode="json") for item in counted]
        found |= {"lever": asdict(lever) if lever else None, "failbacks": [asdict(way) for way in ways]}
        topology, now = _topology(standing.state), _looked_at(standing.state, events)
        clock = disaster_clock(standing.state.plan, topology, events, now) if topology else None
        found |= {"disaster": clock_as_data(clock)}
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    console = _console()
    _show_lever(console, lever, site)
    most = _MOST_LOCKS if console.is_terminal else len(locks)
    told: list[RenderableType] = [_head(standing, events, _locks(locks, most), ways, valid=valid)]
    promoted = promotion(standing.state.plan, events)
    if promoted:
        told.append(Text(f"PROMOTED 演练转应急 by {promoted.by}: {promoted.reason}", style="bold red"))
    told += () if counted is None else outage_lines(counted, copy_of(standing.state).topology.site)
    console.print(*told, sep="\n")
    needs = list(needed(standing, site))
    show_needs(console, needs)
    console.print()
    above = sum(len(console.render_lines(item)) for item in told)
    above += sum(1 + (cell_len(line) - 1) // console.width for line in needs)
    _show_journal(console, events, ZoneInfo(zone), max(_FEWEST_EVENTS, console.height - above - _AROUND))


def _outages(standing: Standing, events: list[Event], site: Path) -> tuple[Outage, ...] | None:
    """Outage in trading hours: of a closed run as its journal counts it, of any other up to now. None: not counted."""
    state = standing.state
    if state.plan.mode is Mode.REHEARSAL or standing.word == "closed":
        return outages_in(events)
    try:
        topology = copy_of(state).topology
    except DrillctlError:
        return None
    hours = hours_of(Places().site_folder(site), topology.site.timezone)
    if hours is None:
        return None
    seen = read_observations(state.folder / NAME)
    return tuple(outages_of(state.plan, topology, events, seen, hours, SystemClock().now()))


def _open(event: Event) -> dict[str, Any]:
    return {"step": event.step, "attempt": event.attempt, "since": event.at, "targets": event.data["targets"]}


def _head(
    standing: Standing, events: list[Event], locks: Iterable[str], ways: Sequence[WayHome], *, valid: bool
) -> Group:
    state, calls = standing.state, [*calls_of(events), *standing.calls]
    begun = (f"{item.step}, attempt {item.attempt}: {_names(item.data['targets'])}" for item in open_intents(events))
    rows = {
        "state": Text(said(standing), style=_STYLE.get(standing.word, "")),
        "drill": Text(f"{state.plan.title.en} {state.plan.title.zh}, {state.plan.mode}, by {state.owner}"),
        "folder": Text(str(state.folder), overflow="fold"),
        "journal": Text(f"{len(events)} events, hash chain ") + _chain(valid=valid),
        "open": _lines(begun),
        "calls": _lines(call_in_words(item) for item in calls),
        **_home(state, ways),
        **_disaster(state, events),
        "locks": _lines(locks),
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return Group(Text(f"run {standing.run}", style="bold"), Padding(table, (0, 0, 0, 2)))


def _home(state: RunState, ways: Sequence[WayHome]) -> dict[str, Text]:
    """Of an incident by which run it came home, of a failback which incident it brings home."""
    if state.plan.fails_back:
        return {"incident": Text(f"brings home {state.plan.fails_back.run}")}
    if state.plan.mode is not Mode.INCIDENT:
        return {}
    told = [f"{way.run}: {way.state}" for way in ways]
    return {"failback": _lines(told) if told else Text(f"none yet; drillctl failback {state.run} --save")}


def _disaster(state: RunState, events: list[Event]) -> dict[str, Text]:
    """The D+N clock; a run without one has no such rows."""
    topology, now = _topology(state), _looked_at(state, events)
    clock = disaster_clock(state.plan, topology, events, now) if topology else None
    if clock is None or topology is None:
        return {}
    zone = topology.site.timezone
    rows = {"D+N": _lines(deadline_lines(clock, topology, now))}
    return rows | ({"milestones": _lines(milestone_lines(clock, zone))} if clock.milestones else {})


def _topology(state: RunState) -> Topology | None:
    try:
        return copy_of(state).topology
    except DrillctlError:
        return None


def _looked_at(state: RunState, events: list[Event]) -> float:
    """Now; a run that is closed is looked at as it was then."""
    return epoch_s(events[-1]) if state.status == CLOSED else SystemClock().now()


def _chain(*, valid: bool) -> Text:
    return Text("valid", style="green") if valid else Text("BROKEN", style="bold red")


def _lines(lines: Iterable[str]) -> Text:
    return Text("\n".join(lines) or "none")


def _locks(locks: list[str], most: int) -> Iterator[str]:
    """By kind: `twin x 1: number:W100200` and its like."""
    kinds: dict[str, list[str]] = {}
    for lock in locks:
        kind, _, name = lock.rpartition(": ")[2].partition(":")
        kinds.setdefault(kind, []).append(name)
    for kind, names in kinds.items():
        yield f"{kind} {_names(names, most)}"


def _names(names: list[str], most: int = _MOST) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most]) or 'nothing'}{more}"


def _show_journal(console: Console, events: list[Event], zone: ZoneInfo, room: int) -> None:
    """Whole where it fits or goes into a file; else the newest events, a line each, so that the head stays."""
    whole = _journal(events, zone)
    if not console.is_terminal or len(console.render_lines(whole)) <= room:
        console.print(whole)
        return
    days = len({event.at[:10] for event in events[-room:]})
    shown = events[-max(_FEWEST_EVENTS, room - days - 1) :]
    console.print(
        Text(f"… and {len(events) - len(shown)} earlier events; `drillctl status RUN | less` has all", "bold")
    )
    console.print(_journal(shown, zone, cut=True))


def _journal(events: list[Event], zone: ZoneInfo, *, cut: bool = False) -> Table:
    """One row per event, with a row for each day; `cut`: each row is one line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(2):
        table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="ellipsis" if cut else "fold", no_wrap=cut)
    day = ""
    for event in events:
        at = datetime.fromisoformat(event.at).astimezone(zone)
        if day != f"{at:%Y-%m-%d}":
            day = f"{at:%Y-%m-%d}"
            table.add_row(Text(day, style="not dim bold"), "", Text(f"{zone}", style="dim"))
        table.add_row(f"{at:%H:%M:%S.%f}"[:-3], event.kind.value, _line(event))
    return table


def _line(event: Event) -> Text:
    """What it is about, and in short what it says; `--json` has it all."""
    again = f" #{event.attempt}" if (event.attempt or 1) > 1 else ""
    text = Text(_brief(event))
    return Text.assemble((f"{event.step}{again}", "bold"), "  ", text) if event.step else text


def _brief(event: Event) -> str:  # noqa: PLR0911 - one return per kind of event
    data = event.data
    match event.kind:
        case EventKind.MESSAGE if data["topic"] in _SAID:
            return _SAID[data["topic"]](data)
        case EventKind.ALARM:
            return f"D+{data['day']} has passed, open: {', '.join(data['milestones'])}"
        case EventKind.STATE:
            return str(data["state"])
        case EventKind.WAITING:
            return f"{data['step']}: " + "; ".join(
                f"{name}: {' '.join(why.split())}" for name, why in data["targets"].items()
            )
        case EventKind.OUTAGE:
            return str(data["level"])
        case EventKind.CHECKS:
            return _counted([item["result"] for item in data["records"]])
        case EventKind.SNAPSHOT:
            return str(data["when"])
        case EventKind.FAULT_ON | EventKind.FAULT_OFF:
            return "lapsed" if data.get("lapsed") else ""
        case _ if isinstance(data.get("results"), list):
            return _results(data)
        case _ if isinstance(data.get("targets"), list):
            return _names(data["targets"])
        case _:
            return ", ".join(f"{key}={value}" for key, value in data.items() if _is_plain(key, value))


def _results(data: dict[str, Any]) -> str:
    """What went well is counted, what did not is named."""
    good = [item["outcome"] for item in data["results"] if item["outcome"] in _GOOD]
    bad = (
        f"{item['target']} {item['outcome']}: {item['message']}"
        for item in data["results"]
        if item["outcome"] not in _GOOD
    )
    by = f"by {data['by']}" if "by" in data else ""
    return "; ".join(part for part in (by, _counted(good), *bad) if part)


def _counted(words: list[str]) -> str:
    return ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in Counter(words).items())


def _is_plain(key: str, value: object) -> bool:
    return key not in _HIDDEN and isinstance(value, str | int | float)

"""The live view of a run: phases, a clock, every affected gateway; plain lines where there is no terminal.

Where the gateways do not fit the screen, they are shown by class and centre, and the worst of them by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.clock_lines import next_line
from orchestrator.cli.live_groups import LEAST, overview
from orchestrator.cli.live_states import GatewayStates
from orchestrator.cli.outages import outage_lines, worst_outage_lines
from orchestrator.cli.sentences import is_bad, sentence
from orchestrator.history import epoch_s
from orchestrator.measure import front_of
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind, Sample
from orchestrator.model.outage import Outage
from orchestrator.model.plan import Phase, Plan
from orchestrator.model.topology import Topology
from orchestrator.ports import Clock, Listener, Measurement
from orchestrator.rules.outage import TradingHours

REFRESH_HZ = 4  # our choice
_COUNT_EVERY_S = 30  # our choice: hours are told to a tenth
_OUTAGE_EVERY_S = 1  # our choice: minutes of outage are told to a tenth
MOST_LINES = 8  # our choice: newest lines under the table
_FEWEST_LINES = 2  # our choice
_LOW = 14  # our choice: with fewer rows only clock, phases and gateways are shown
_LINES_SHARE = 8  # our choice: one row in so many is for the newest lines
_TALL = 30  # our choice: from so many rows on, there is room for more than the least
_FRAME = 8  # rows of the table view beside gateways, outages and newest lines: the head 5, phases 2, headings 1
_SYSTEM: Final = SystemClock()
_SIMULATED: Final = (" SIMULATED 仿真预演 ", "black on yellow")
_BADGES: Final[Mapping[str, tuple[str, str]]] = {
    "rehearsal": _SIMULATED,
    "drill": (" DRILL 实操演练 ", "bold white on blue"),
    "incident": (" INCIDENT 应急处置 ", "bold white on red"),
    "failback": (" FAILBACK 回切 ", "bold white on blue"),
}
_PHASES = frozenset(phase.value for phase in Phase)


@contextmanager
def progress(
    console: Console,
    run: str,
    plan: Plan,
    topology: Topology,
    past: Sequence[Event] = (),
    hours: TradingHours | None = None,
    *,
    simulated: bool,
) -> Iterator[Listener]:
    """A listener that shows the run while it lasts. `past`: what happened before this orchestrator; `hours`: the
    session hours in which outage is counted; `simulated`: it happens on a twin.
    """
    if not console.is_terminal or console.is_dumb_terminal:  # a dumb one cannot be drawn on twice
        yield PlainLines(console, plan, topology.site.timezone)
        return
    view = LiveView(run, plan, topology, hours, simulated=simulated)
    view.catch_up(past)
    try:
        with Live(view, console=console, refresh_per_second=REFRESH_HZ, transient=True):
            yield view
    finally:
        for line in view.kept:
            console.print(line)


class PlainLines:
    """For logs and pipes: one line per event, with the site's time."""

    def __init__(self, console: Console, plan: Plan, timezone: str) -> None:
        self._console, self._plan, self._zone = console, plan, ZoneInfo(timezone)

    def event(self, event: Event) -> None:
        text = sentence(event, self._plan)
        if text:
            at = datetime.fromisoformat(event.at).astimezone(self._zone)
            self._console.print(f"{at:%H:%M:%S} {text}", markup=False)

    def said(self, text: str) -> None:
        self._console.print(text, markup=False)

    def measuring(self, measurement: Measurement) -> None:
        """Plain lines tell events only."""


class LiveView:
    """Redrawn several times a second from the newest samples."""

    def __init__(
        self,
        run: str,
        plan: Plan,
        topology: Topology,
        hours: TradingHours | None = None,
        clock: Clock = _SYSTEM,
        *,
        simulated: bool,
    ) -> None:
        self._clock = clock
        self._run, self._plan, self._topology = run, plan, topology
        self._badge = _SIMULATED if simulated else _BADGES[plan.kind]
        self._hours = hours if plan.mode is not Mode.REHEARSAL else None
        self.states = GatewayStates(plan, topology)
        self._offset_s: dict[str, float] = {}
        self._zone = ZoneInfo(topology.site.timezone)
        self._measurement: Measurement | None = None
        self._latest: dict[str, Sample] = {}
        self._phase: Phase | None = None
        self._lines: list[Text] = []
        self._told = self._told_bad = 0
        self.kept: list[Text] = []
        self._fault_mono: float | None = None
        self._lifted = False
        self._start_mono = self._clock.monotonic()
        self._past: list[Event] = []
        self._counted: tuple[tuple[int, int], str | None] = ((-1, 0), None)
        self._outages_at: tuple[int, list[Outage]] = (-1, [])

    def catch_up(self, past: Sequence[Event]) -> None:
        """What an earlier orchestrator did: the phase it was in, and since when the fault is on."""
        for event in past:
            self._follow(event, self._clock.monotonic() - (self._clock.now() - epoch_s(event)))

    def _follow(self, event: Event, mono: float) -> None:
        self._past.append(event)
        self.states.follow(event)
        if event.kind is EventKind.STATE and event.data["state"] in _PHASES:
            self._phase = Phase(event.data["state"])
        if event.kind is EventKind.FAULT_ON and self._fault_mono is None:
            self._fault_mono = mono
        if event.kind is EventKind.FAULT_OFF:
            self._lifted = True
        if event.kind is EventKind.SNAPSHOT and event.data["when"] == "before":
            self._offset_s = event.data["clock_offset_s"]

    def event(self, event: Event) -> None:
        self._follow(event, self._clock.monotonic())
        text = sentence(event, self._plan)
        if text:
            at = datetime.fromisoformat(event.at).astimezone(self._zone)
            self._add(f"{at:%H:%M:%S} {text}", keep=is_bad(text))

    def said(self, text: str) -> None:
        self._add(text, keep=True)

    def _add(self, text: str, *, keep: bool) -> None:
        """What is bad stays to be read after the view is gone."""
        lines = [Text(line, style="red" if keep else "") for line in text.split("\n")]
        self._told += len(lines)
        self._lines = [*self._lines, *lines][-MOST_LINES:]
        if keep:
            self._told_bad += len(lines)
            self.kept += lines

    def measuring(self, measurement: Measurement) -> None:
        """Everything before is seen first: the view is drawn by another thread, from the newest samples."""
        for sample in measurement.observations().samples:
            self._see(sample)
        self._measurement = measurement

    def _see(self, sample: Sample) -> None:
        self.states.watch.see(sample, sample.at - self._offset_s.get(sample.host, 0.0))

    def _look(self) -> None:
        """What is newer than at the last redraw."""
        latest = dict(self._measurement.latest()) if self._measurement else {}
        for name, sample in latest.items():
            if self._latest.get(name) is not sample:
                self._see(sample)
        self._latest = latest

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self._look()
        height = options.size.height
        table = self._table(console, options) if len(self._plan.affected) + _FRAME < height else None
        if table is not None and len(table) + min(_FEWEST_LINES, len(self._lines)) <= height:
            for line in table:
                yield from line
                yield Segment.line()
            yield from self._newest(height - len(table))
        else:
            yield from self._overview(options.max_width, height)

    def _newest(self, room: int) -> list[Text]:
        return self._lines[-room:] if room > 0 else []

    # -- every gateway --------------------------------------------------------------------------------

    def _table(self, console: Console, options: ConsoleOptions) -> list[list[Segment]]:
        outages = outage_lines(self._outages(), self._topology.site)
        return console.render_lines(
            Group(self._head(), self._phases(), self._gateways(), *outages, *self._days()), options, pad=False
        )

    def _outages(self) -> list[Outage]:
        """Minutes of outage in trading hours; what nears the limit is seen before it is reached."""
        if self._hours is None or self._measurement is None:
            return []
        now = self._clock.now()
        if self._outages_at[0] != now // _OUTAGE_EVERY_S:
            self._outages_at = int(now // _OUTAGE_EVERY_S), self.states.watch.outages(self._hours, now)
        return self._outages_at[1]

    def _days(self) -> list[Text]:
        """D+N, counted again when something happened, and now and then."""
        key = (len(self._past), int(self._clock.now() // _COUNT_EVERY_S))
        if self._counted[0] != key:
            self._counted = key, next_line(self._plan, self._topology, list(self._past), self._clock.now())
        return [Text(self._counted[1], style="bold")] if self._counted[1] else []

    def _head(self) -> Panel:
        return Panel(Group(self._title(), self._settings(), self._running()))

    def _title(self) -> Text:
        return Text.assemble((self._plan.title.en, "bold"), "  ", self._plan.title.zh, "  ", self._badge)

    def _settings(self) -> Text:
        settings = " ".join(f"{name}={value}" for name, value in self._plan.parameters.items())
        return Text(f"{settings}  response {self._plan.response}   {self._run}", style="dim")

    def _running(self) -> Text:
        said = f"running {self._clock.monotonic() - self._start_mono:5.1f} s"
        if self._fault_mono is not None and not self._lifted:
            said += f"   fault on for {self._clock.monotonic() - self._fault_mono:5.1f} s"
        return Text(said, style="bold")

    def _order(self) -> list[Phase]:
        return [
            phase for phase in Phase if any(step.phase is phase for step in self._plan.steps) or phase is Phase.CLOSING
        ]

    def _phases(self) -> Text:
        order = self._order()
        text = Text()
        now = order.index(self._phase) if self._phase in order else -1
        for index, phase in enumerate(order):
            style = "green" if index < now else "bold reverse" if index == now else "dim"
            text.append(f" {phase.value.removesuffix('_restoration')} ", style=style)
            text.append("›" if index < len(order) - 1 else "\n", style="dim")
        return text

    def _gateways(self) -> Table:
        rows = [(change, self._latest.get(change.gateway)) for change in self._plan.affected]
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("GATEWAY", "NUMBER", "CLASS", "STATE", "FRONT", "PLANNED"):  # a narrow terminal cuts the others
            table.add_column(column, no_wrap=column in ("GATEWAY", "NUMBER", "STATE"))
        for change, sample in rows:
            planned = "-" if change.after is None else change.after.front
            table.add_row(
                change.gateway,
                change.number,
                change.gateway_class.value,
                self._state(sample),
                front_of(self._topology, sample) or "-",
                planned,
            )
        return table

    def _state(self, sample: Sample | None) -> Text:
        if sample is None:
            return Text("no sample yet", style="dim")
        if not sample.running:
            return Text("stopped", style="red")
        front = front_of(self._topology, sample)
        dead = (
            front is not None
            and self._fault_mono is not None
            and not self._lifted
            and self._topology.front[front].centre in self._plan.fault.centres
        )
        if dead:
            return Text("stale session", style="red")
        if front:
            return Text("logged in", style="green")
        return Text("connecting" if sample.connecting else "not logged in", style="yellow")

    # -- more gateways than rows ----------------------------------------------------------------------

    def _overview(self, width: int, height: int) -> list[Text]:
        """Groups and the worst; every line fitted, and never more than `height`."""
        is_low = height < _LOW
        head = [self._running(), self._phases_within(width)] if is_low else self._short_head(width)
        tail = [] if is_low else [*self._worst_outages(height), *self._days()]
        if height >= _TALL:
            head, tail = [*head, Text()], [Text(), *tail]
        kept = 0 if is_low else min(self._told, max(_FEWEST_LINES, height // _LINES_SHARE), MOST_LINES)
        room = max(LEAST, height - len(head) - len(tail) - kept)
        middle = overview(self.states.look(self._latest), self.states.why, self._clock.now(), width, room)
        left = height - len(head) - len(middle) - len(tail)
        found = [*head, *middle, *tail, *self._lines_within(0 if is_low else left)]
        for line in found:
            line.truncate(width, overflow="ellipsis")
        return found if len(found) <= height else middle[:height]

    def _short_head(self, width: int) -> list[Text]:
        return [self._title(), self._settings(), self._running(), self._phases_within(width)]

    def _phases_within(self, width: int) -> Text:
        """What is over makes room for what comes."""
        text, order = self._phases(), self._order()
        text.rstrip()
        now = order.index(self._phase) if self._phase in order else 0
        for over in range(1, now + 1):
            if cell_len(text.plain) <= width:
                break
            cut = sum(len(phase.value.removesuffix("_restoration")) + 3 for phase in order[:over])
            text = Text.assemble((f" {over} done ", "green"), ("›", "dim"), self._phases()[cut:])
            text.rstrip()
        return text

    def _worst_outages(self, height: int) -> list[Text]:
        return worst_outage_lines(self._outages(), self._topology.site, 4 if height >= _TALL else 2)

    def _lines_within(self, room: int) -> list[Text]:
        """The newest, and how many came before."""
        shown = self._newest(min(room, MOST_LINES))
        if len(shown) < self._told and shown:
            shown = self._newest(min(room - 1, MOST_LINES))
            bad = self._told_bad - sum(line.style == "red" for line in shown)
            told = f"… and {self._told - len(shown)} earlier lines{f', {bad} of them bad' * (bad > 0)}"
            shown = [Text(f"{told}; `drillctl status RUN` has them", "red" if bad else "dim"), *shown]
        return [line.copy() for line in shown]

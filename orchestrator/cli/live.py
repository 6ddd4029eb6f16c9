"""The live view of a run: phases, a clock, every affected gateway; plain lines where there is no terminal."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from orchestrator.cli.clock_lines import next_line
from orchestrator.cli.live_gateways import Seen, Standing, gateways
from orchestrator.cli.outages import outage_lines
from orchestrator.cli.sentences import is_bad, sentence
from orchestrator.history import epoch_s
from orchestrator.measure import allowed_fronts, front_of
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind, Sample
from orchestrator.model.plan import Action, GatewayChange, Phase, Plan
from orchestrator.model.topology import Topology
from orchestrator.ports import Listener, Measurement
from orchestrator.rules.outage import OutageWatch, TradingHours

REFRESH_HZ = 4  # our choice
_COUNT_EVERY_S = 30  # our choice: hours are told to a tenth
MOST_LINES = 8  # our choice: newest lines under the table
_LEAST_LINES = 2  # our choice: of them, where gateways need the space
_SIMULATED: Final = (" SIMULATED 仿真预演 ", "black on yellow")
_BADGES: Final[Mapping[str, tuple[str, str]]] = {
    "rehearsal": _SIMULATED,
    "drill": (" DRILL 实操演练 ", "bold white on blue"),
    "incident": (" INCIDENT 应急处置 ", "bold white on red"),
    "failback": (" FAILBACK 回切 ", "bold white on blue"),
}
_PHASES = frozenset(phase.value for phase in Phase)
# What is said of a gateway that is not as planned, by how bad it is.
_STANDING = {
    "stopped": Standing.DOWN,
    "stale session": Standing.DOWN,
    "not logged in": Standing.CONNECTING,
    "connecting": Standing.CONNECTING,
    "no sample yet": Standing.UNSEEN,
    "logged in": Standing.ELSEWHERE,
}


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
        self, run: str, plan: Plan, topology: Topology, hours: TradingHours | None = None, *, simulated: bool
    ) -> None:
        self._run, self._plan, self._topology = run, plan, topology
        self._badge = _SIMULATED if simulated else _BADGES[plan.kind]
        self._hours = hours if plan.mode is not Mode.REHEARSAL else None
        self._watch = OutageWatch(plan, topology, self._fault_holds)
        self._offset_s: dict[str, float] = {}
        self._zone = ZoneInfo(topology.site.timezone)
        self._measurement: Measurement | None = None
        self._phase: Phase | None = None
        self._lines: list[Text] = []
        self.kept: list[Text] = []
        self._fault_mono: float | None = None
        self._lifted = False
        self._start_mono = time.monotonic()
        self._past: list[Event] = []
        self._counted: tuple[tuple[int, int], str | None] = ((-1, 0), None)
        self._out_since: dict[str, float] = {}
        self._allowed: dict[str, tuple[str, ...]] = {}

    def catch_up(self, past: Sequence[Event]) -> None:
        """What an earlier orchestrator did: the phase it was in, and since when the fault is on."""
        for event in past:
            self._follow(event, time.monotonic() - (time.time() - epoch_s(event)))

    def _follow(self, event: Event, mono: float) -> None:
        self._past.append(event)
        if event.kind is EventKind.STATE and event.data["state"] in _PHASES:
            self._phase = Phase(event.data["state"])
        if event.kind is EventKind.FAULT_ON and self._fault_mono is None:
            self._fault_mono = mono
        if event.kind is EventKind.FAULT_OFF:
            self._lifted = True
        if event.kind is EventKind.SNAPSHOT and event.data["when"] == "before":
            self._offset_s = event.data["clock_offset_s"]

    def _fault_holds(self, _at: float) -> bool:
        return self._plan.mode is Mode.INCIDENT or (self._fault_mono is not None and not self._lifted)

    def event(self, event: Event) -> None:
        self._follow(event, time.monotonic())
        text = sentence(event, self._plan)
        if text:
            at = datetime.fromisoformat(event.at).astimezone(self._zone)
            self._add(Text(f"{at:%H:%M:%S} {text}"), keep=is_bad(text))

    def said(self, text: str) -> None:
        self._add(Text(text), keep=True)

    def _add(self, line: Text, *, keep: bool) -> None:
        """What is bad stays to be read after the view is gone."""
        line.stylize("red" if keep else "")
        self._lines = [*self._lines, line][-MOST_LINES:]
        if keep:
            self.kept.append(line)

    def measuring(self, measurement: Measurement) -> None:
        self._measurement = measurement
        for sample in measurement.observations().samples if self._hours else ():
            self._see(sample)

    def _see(self, sample: Sample) -> None:
        self._watch.see(sample, sample.at - self._offset_s.get(sample.host, 0.0))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Everything in the height of the terminal: first the newest lines give way, then gateways become groups."""
        above = Group(self._head(), self._phases())
        below = Group(*self._outages(), *self._days())
        rows = self._rows()
        left = console.size.height - 1 - sum(_height(console, options, part) for part in (above, below))
        newest = self._lines[-max(_LEAST_LINES, left - len(rows) - 1) :]
        left -= sum(_height(console, options, line) for line in newest)
        yield Group(above, gateways(rows, self._topology, left), below, *newest)

    def _outages(self) -> list[Text]:
        """Minutes of outage in trading hours; what nears the limit is seen before it is reached."""
        if self._hours is None or self._measurement is None:
            return []
        for sample in self._measurement.latest().values():
            self._see(sample)
        return outage_lines(self._watch.outages(self._hours, time.time()), self._topology.site)

    def _days(self) -> list[Text]:
        """D+N, counted again when something happened, and now and then."""
        key = (len(self._past), int(time.time() // _COUNT_EVERY_S))
        if self._counted[0] != key:
            self._counted = key, next_line(self._plan, self._topology, list(self._past), time.time())
        return [Text(self._counted[1], style="bold")] if self._counted[1] else []

    def _head(self) -> Panel:
        title = Text.assemble((self._plan.title.en, "bold"), "  ", self._plan.title.zh, "  ", self._badge)
        settings = " ".join(f"{name}={value}" for name, value in self._plan.parameters.items())
        clock = f"running {time.monotonic() - self._start_mono:5.1f} s"
        if self._fault_mono is not None and not self._lifted:
            clock += f"   fault on for {time.monotonic() - self._fault_mono:5.1f} s"
        return Panel(
            Group(
                title,
                Text(f"{settings}  response {self._plan.response}   {self._run}", style="dim"),
                Text(clock, style="bold"),
            )
        )

    def _phases(self) -> Text:
        order = [
            phase for phase in Phase if any(step.phase is phase for step in self._plan.steps) or phase is Phase.CLOSING
        ]
        text = Text()
        now = order.index(self._phase) if self._phase in order else -1
        for index, phase in enumerate(order):
            style = "green" if index < now else "bold reverse" if index == now else "dim"
            text.append(f" {phase.value.removesuffix('_restoration')} ", style=style)
            text.append("›" if index < len(order) - 1 else "\n", style="dim")
        return text

    def _rows(self) -> list[Seen]:
        latest = self._measurement.latest() if self._measurement else {}
        return [self._seen(change, latest.get(change.gateway), time.monotonic()) for change in self._plan.affected]

    def _seen(self, change: GatewayChange, sample: Sample | None, now: float) -> Seen:
        front = front_of(self._topology, sample)
        state = self._state(sample, front)
        if self._is_good(change, front):
            self._out_since.pop(change.gateway, None)
            return Seen(change, Standing.GOOD, state, front, None)
        since = self._out_since.setdefault(change.gateway, now)
        return Seen(change, _STANDING[state.plain], state, front, now - since)

    def _is_good(self, change: GatewayChange, front: str | None) -> bool:
        if change.action is Action.TAKE_OVER and (self._fault_mono is None or self._lifted):
            return front is None
        if change.action is Action.SUSPENDED and self._fault_mono is not None and not self._lifted:
            return front is None
        if change.action.stays_down or self._fault_mono is None or self._lifted:
            return front is not None
        if change.gateway not in self._allowed:
            self._allowed[change.gateway] = allowed_fronts(self._plan, self._topology, change)
        return front in self._allowed[change.gateway]

    def _state(self, sample: Sample | None, front: str | None) -> Text:
        if sample is None:
            return Text("no sample yet", style="dim")
        if not sample.running:
            return Text("stopped", style="red")
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


def _height(console: Console, options: ConsoleOptions, part: RenderableType) -> int:
    return len(console.render_lines(part, options, pad=False))

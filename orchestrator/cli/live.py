"""The live view of a run: phases, a clock, every affected gateway; plain lines where there is no terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from orchestrator.measure import allowed_fronts, front_of
from orchestrator.model.event import Event, EventKind, Sample
from orchestrator.model.plan import Action, GatewayChange, Phase, Plan
from orchestrator.model.topology import Topology
from orchestrator.ports import Listener, Measurement

REFRESH_HZ = 4  # our choice
MOST_NAMES = 4  # our choice: targets named in one line
MOST_ROWS = 24  # our choice: more gateways than this are listed worst first


@contextmanager
def progress(console: Console, run: str, plan: Plan, topology: Topology) -> Iterator[Listener]:
    """A listener that shows the run while it lasts."""
    if not console.is_terminal:
        yield PlainLines(console, plan, topology.site.timezone)
        return
    view = LiveView(run, plan, topology)
    with Live(view, console=console, refresh_per_second=REFRESH_HZ, transient=True):
        yield view
    for line in view.kept:
        console.print(line)


def _sentence(event: Event, plan: Plan) -> str | None:  # noqa: PLR0911 - one return per kind of event
    """One line of what happened, or None where nobody needs to see it."""
    match event.kind:
        case EventKind.STATE:
            return f"== {event.data['state']}"
        case EventKind.INTENT | EventKind.UNDO_INTENT:
            return f"   {event.step}: {_what(event, plan)}"
        case EventKind.DONE | EventKind.UNDO_DONE:
            bad = [item for item in event.data["results"] if item["outcome"] not in ("succeeded", "undone", "skipped")]
            if not bad:
                return f"   {event.step}: done"
            return "\n".join(f"   {event.step}: {item['target']} {item['outcome']}: {item['message']}" for item in bad)
        case EventKind.FAULT_ON:
            return "   fault is on"
        case EventKind.FAULT_OFF:
            return "   fault is lifted"
        case EventKind.NOTE:
            return f"   {event.data['what']}: {event.data['text']}"
        case _:
            return None


def _what(event: Event, plan: Plan) -> str:
    """What a step is about to do, and to whom."""
    step = next(step for step in plan.steps if step.id == event.step)
    named = [target.name for target in step.targets if target.kind in ("gateway", "router")]
    chosen = [name for name in named if name in event.data["targets"]]
    if not chosen:
        return step.title.en if not named else f"{step.title.en}: nothing to do"
    more = f" and {len(chosen) - MOST_NAMES} more" if len(chosen) > MOST_NAMES else ""
    return f"{step.title.en} ({', '.join(chosen[:MOST_NAMES])}{more})"


class PlainLines:
    """For logs and pipes: one line per event, with the site's time."""

    def __init__(self, console: Console, plan: Plan, timezone: str) -> None:
        self._console, self._plan, self._zone = console, plan, ZoneInfo(timezone)

    def event(self, event: Event) -> None:
        sentence = _sentence(event, self._plan)
        if sentence:
            at = datetime.fromisoformat(event.at).astimezone(self._zone)
            self._console.print(f"{at:%H:%M:%S} {sentence}", markup=False)

    def measuring(self, measurement: Measurement) -> None:
        """Plain lines tell events only."""


class LiveView:
    """Redrawn several times a second from the newest samples."""

    def __init__(self, run: str, plan: Plan, topology: Topology) -> None:
        self._run, self._plan, self._topology = run, plan, topology
        self._zone = ZoneInfo(topology.site.timezone)
        self._measurement: Measurement | None = None
        self._phase: Phase | None = None
        self._lines: list[Text] = []
        self.kept: list[Text] = []
        self._fault_mono: float | None = None
        self._lifted = False
        self._start_mono = time.monotonic()

    def event(self, event: Event) -> None:
        if event.kind is EventKind.STATE and event.data["state"] != "closed":
            self._phase = Phase(event.data["state"])
        if event.kind is EventKind.FAULT_ON:
            self._fault_mono = time.monotonic()
        if event.kind is EventKind.FAULT_OFF:
            self._lifted = True
        sentence = _sentence(event, self._plan)
        if sentence:
            at = datetime.fromisoformat(event.at).astimezone(self._zone)
            bad = any(
                word in sentence for word in ("failed", "indeterminate", "timed_out", "error", "aborted", "not_started")
            )
            line = Text(f"{at:%H:%M:%S} {sentence}", style="red" if bad else "")
            self._lines = [*self._lines, line][-8:]
            if bad:
                self.kept.append(line)

    def measuring(self, measurement: Measurement) -> None:
        self._measurement = measurement

    def __rich__(self) -> Group:
        return Group(self._head(), self._phases(), self._gateways(), *self._lines)

    def _head(self) -> Panel:
        title = Text.assemble(
            (self._plan.title.en, "bold"), "  ", self._plan.title.zh, "  ", (" SIMULATED 仿真预演 ", "black on yellow")
        )
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

    def _gateways(self) -> Table:
        latest = dict(self._measurement.latest()) if self._measurement else {}
        rows = [(change, latest.get(change.gateway)) for change in self._plan.affected]
        if len(rows) > MOST_ROWS:
            rows = sorted(rows, key=lambda row: self._is_good(*row))[:MOST_ROWS]
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

    def _is_good(self, change: GatewayChange, sample: Sample | None) -> bool:
        front = front_of(self._topology, sample)
        if change.action is Action.NO_BUSINESS or self._fault_mono is None or self._lifted:
            return front is not None
        return front in allowed_fronts(self._plan, self._topology, change)

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

"""How plans are shown in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from orchestrator.model.disaster import DAY_S
from orchestrator.model.plan import Action, GatewayChange, Placement, Plan, Target

_ACTION = {
    Action.REPOINT: "[bold cyan]repoint[/]",
    Action.REROUTED: "[green]rerouted[/]",
    Action.OWN_LIST: "[green]own list[/]",
    Action.NO_BUSINESS: "[yellow]no business[/]",
    Action.TAKEN_OVER: "[bold yellow]fenced[/]",
    Action.TAKE_OVER: "[bold cyan]take over[/]",
    Action.HOT_STANDBY: "[green]hot standby[/]",
    Action.CERTIFICATE: "[bold cyan]certificate[/]",
    Action.PAIR: "[green]its pair[/]",
    Action.SUSPENDED: "[yellow]suspended[/]",
    Action.HOME: "[bold cyan]home[/]",
    Action.GIVE_BACK: "[bold yellow]give back[/]",
    Action.NONE: "untouched",
}


def show_plan(console: Console, plan: Plan) -> None:
    """Head, affected gateways, paths, steps, notes."""
    parameters = " ".join(f"{name}={value}" for name, value in plan.parameters.items())
    console.print(f"[bold]{plan.title.en}[/] {plan.title.zh}  {parameters}")
    console.print(f"mode {plan.mode}, response {plan.response}, site {plan.site}, plan {plan.id}")
    console.print(f"affected {len(plan.affected)} of {len(plan.gateways)} gateways, lists to change {_lists(plan)}\n")
    console.print(_gateways(plan))
    for path in plan.paths:
        console.print(
            f"path  {path.router} towards {path.centre}: {path.line_before} → {path.line_after} ({path.reason.en})"
        )
    console.print()
    console.print(_steps(plan))
    for note in plan.notes:
        console.print(f"[yellow]note[/]  {note.en}")


def _lists(plan: Plan) -> int:
    return sum(_is_new(change) for change in plan.gateways)


def _is_new(change: GatewayChange) -> bool:
    goes_back = change.action is Action.HOME and change.list_before != change.list_after
    return change.action is Action.REPOINT or goes_back


def _gateways(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("GATEWAY", "NUMBER", "ACTION", "WAVE"):
        table.add_column(column, no_wrap=True)
    for column in ("BEFORE → DURING", "NEW LIST"):
        table.add_column(column, overflow="fold")
    for change in plan.affected:
        table.add_row(
            change.gateway,
            change.number,
            _ACTION[change.action],
            str(change.wave or "-"),
            f"{_place(change.before)} → {_place(change.after)}",
            _new_list(change),
        )
    return table


def _place(place: Placement | None) -> str:
    return f"{place.centre}/{place.line}" if place else "-"


def _new_list(change: GatewayChange) -> str:
    return ", ".join(change.list_after) if _is_new(change) else "unchanged"


def _steps(plan: Plan) -> Table:
    """Steps under their phases."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("STEP", no_wrap=True)
    table.add_column("WHAT", overflow="fold")
    table.add_column("TARGETS", no_wrap=True)
    table.add_column("WITHIN", no_wrap=True, justify="right")
    phase = None
    for step in plan.steps:
        if step.phase is not phase:
            phase = step.phase
            table.add_row(f"[bold]{phase.value.replace('_', ' ')}[/]")
        table.add_row(f"  {step.id}", step.title.en, _who(step.targets), _within(step.deadline_s))
    return table


def _within(deadline_s: float) -> str:
    """What people take days for is said in days."""
    return f"{deadline_s / DAY_S:g} d" if deadline_s >= DAY_S else f"{deadline_s:g} s"


def _who(targets: Sequence[Target]) -> str:
    """A wave of two hundred gateways stays one short line."""
    named = [target for target in targets if target.kind in ("gateway", "router", "person")]
    if len(named) <= 1:
        return named[0].name if named else "-"
    return f"{len(named)} {named[0].kind}s"

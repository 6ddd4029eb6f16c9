"""How `drillctl whatif` looks in a terminal of 100 columns."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.model.plan import Action, GatewayChange, Placement, Step
from orchestrator.model.topology import Topology
from orchestrator.planner.cures import Cure
from orchestrator.planner.failures import Failure, title_of
from orchestrator.planner.situation import Fate, Verdict
from orchestrator.planner.survey import Loss, Survey
from orchestrator.planner.whatif import Answer

_STYLE: Final = {
    Fate.UNTOUCHED: "dim",
    Fate.ITSELF: "green",
    Fate.PAIR: "yellow",
    Fate.SWITCH: "bold cyan",
    Fate.NO_BUSINESS: "dim",
    Fate.LOST: "bold red",
}
_WORD: Final = {
    Fate.UNTOUCHED: "UNTOUCHED",
    Fate.ITSELF: "BY ITSELF",
    Fate.PAIR: "AT PAIR",
    Fate.SWITCH: "SWITCH",
    Fate.NO_BUSINESS: "NO BUSINESS",
    Fate.LOST: "LOST",
}
_ROWS: Final = 40  # our choice: more rows than that nobody reads in a terminal
_PAIRS: Final = 10  # our choice
_NAMES: Final = 8  # our choice: names of gateways in one line
_SHADES: Final = ((1.0, "bold white on red3"), (0.5, "black on orange1"), (0.0, "black on light_goldenrod1"))


def show_singles(console: Console, survey: Survey) -> None:
    """One row per failure, worst first; hosts, gateways and certificates that come to the same share one."""
    what_if = survey.what_if
    console.print(
        Text(f"EVERY SINGLE FAILURE 单一故障: {len(what_if.failures)} failures, {len(what_if.judged)} gateways", "bold")
    )
    _say_down(console, survey)
    shown = [
        fate for fate in Fate if fate is not Fate.NO_BUSINESS or any(row.answer.counts[fate] for row in survey.rows)
    ]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("FAILURE", overflow="fold")
    for fate in shown:
        table.add_column(_WORD[fate], justify="right", no_wrap=True)
    table.add_column("STEPS", justify="right", no_wrap=True)
    for row in survey.rows[:_ROWS]:
        table.add_row(
            _alike(survey, row.alike),
            *(_number(row.answer.counts[fate], _STYLE[fate]) for fate in shown),
            _number(len(row.answer.acts), "cyan"),
        )
    console.print(table)
    _say_hidden(console, len(survey.rows) - _ROWS)
    console.print(Text(f"{len(survey.harmless)} more failures touch no gateway.", "dim"))
    if what_if.idle:
        console.print(Text(f"Not judged, no path even on a normal day: {_names(what_if.idle)}", "yellow"))
    if not survey.losing:
        console.print(Text("No single failure loses a gateway. 任一单一故障均不丢失网关。", "bold green"))
    for loss in survey.losing[:_PAIRS]:
        _show_loss(console, survey, loss)
    _say_hidden(console, len(survey.losing) - _PAIRS)


def _say_down(console: Console, survey: Survey) -> None:
    """On top of which lines everything else fails."""
    if survey.what_if.down:
        console.print(Text(f"Out of service already 已停用线路: {_names(list(survey.what_if.down))}", "yellow"))


def show_pairs(console: Console, survey: Survey) -> None:
    """How much of each class is lost at most with one more failure, then the worst pairs with their cures."""
    pairs = survey.pairs
    console.print(
        Text(
            f"\nEVERY TWO TOGETHER 双重故障: {pairs.count} pairs, {len(pairs.worse)} lose more than their parts", "bold"
        )
    )
    if survey.heat:
        console.print(_heat(survey))
        _say_hidden(console, len(survey.heat) - _ROWS)
    if not pairs.worse:
        console.print(Text("No two failures lose more than each of them alone. 无新增丢失", "bold green"))
        return
    console.print(Text("\nTHE WORST PAIRS 最不利组合", "bold"))
    worst = survey.worst_pairs(_PAIRS)
    for loss in worst:
        _show_loss(console, survey, loss)
    _say_hidden(console, len(pairs.worse) - len(worst))


def _heat(survey: Survey) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0), caption_justify="left")
    table.add_column("LOST AT MOST, WITH ONE MORE FAILURE", overflow="fold")
    for kind, count in survey.classes.items():
        table.add_column(f"{kind.replace('market-data-', 'md-')}\nof {count}", justify="center", no_wrap=True)
    for row in survey.heat[:_ROWS]:
        cells = zip(row.lost, survey.classes.values(), strict=True)
        table.add_row(_alike(survey, row.alike), *(_shade(lost, count) for lost, count in cells))
    return table


def _shade(lost: int, of: int) -> Text:
    if not lost:
        return Text("  ·  ", "dim")
    style = next(style for share, style in _SHADES if lost / of >= share)
    return Text(f" {lost:>3} ", style)


def _show_loss(console: Console, survey: Survey, loss: Loss) -> None:
    named = " + ".join(item.id for item in loss.failed)
    titles = "，".join(title_of(survey.what_if.topology, item).zh for item in loss.failed)
    console.print(Text.assemble((named, "bold"), "  ", titles))
    console.print(Text.assemble((f"  {len(loss.lost)} lost: ", "red"), _names(loss.lost)))
    console.print(_cure(loss.cure))


def _cure(cure: Cure | None) -> Text:
    if cure is None:
        return Text("  no single addition saves any of them", "yellow")
    saved = "saves all" if not cure.left else f"saves {len(cure.cured)} of {len(cure.cured) + len(cure.left)}"
    return Text.assemble((f"  cure, {saved}: ", "green"), cure.text.en)


def show_answer(console: Console, survey: Survey, answer: Answer) -> None:
    """One combination: each gateway that is touched, the steps, and what is lost."""
    topology = survey.what_if.topology
    for failure in answer.failed:
        title = title_of(topology, failure)
        console.print(Text.assemble((failure.id, "bold"), f"  {title.zh}  {title.en}"))
    counts = [Text(f"{count} {_WORD[fate].lower()}", _STYLE[fate]) for fate, count in answer.counts.items() if count]
    console.print(Text.assemble(f"{answer.of} gateways: ", Text(", ").join(counts), "\n"))
    if answer.verdicts:
        console.print(_gateways(topology, answer))
    for path in answer.paths:
        console.print(
            Text(
                f"path  {path.router} towards {path.centre}: {path.line_before} → {path.line_after} ({path.reason.en})"
            )
        )
    if answer.steps:
        console.print(Text(f"\nSTEPS 切换步骤: {len(answer.acts)}", "bold"))
        console.print(_steps(answer.steps))
    if answer.lost:
        console.print(Text(f"\nLOST 无法恢复: {len(answer.lost)}", "bold red"))
        for name in answer.lost:
            console.print(Text(f"  {answer.verdicts[name].why}"))
        console.print(_cure(survey.loss(answer).cure))


def _gateways(topology: Topology, answer: Answer) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("GATEWAY", "NUMBER", "FATE", "HOW"):
        table.add_column(column, no_wrap=True)
    table.add_column("BEFORE → DURING", overflow="fold")
    for name, verdict in answer.verdicts.items():
        change = next((item for item in verdict.changes if item.gateway == name), None)
        table.add_row(
            name,
            topology.gateway[name].number,
            Text(_WORD[verdict.fate].lower(), _STYLE[verdict.fate]),
            _how(verdict, change),
            _moved(verdict, change),
        )
    return table


def _how(verdict: Verdict, change: GatewayChange | None) -> str:
    if change is None:
        return "-"
    what = f"{change.action} {change.standby}" if change.standby else change.action.value
    if verdict.certificate is None:
        return what
    return f"{what}, " * (change.action is not Action.NONE) + f"certificate {verdict.certificate}"


def _moved(verdict: Verdict, change: GatewayChange | None) -> str:
    if change is None:
        return "-"
    standby = next((item for item in verdict.changes if item.stands_in_for == change.gateway), None)
    return f"{_place(change.before)} → {_place(standby.after if standby else change.after)}"


def _place(place: Placement | None) -> str:
    return f"{place.centre}/{place.line}" if place else "-"


def _steps(steps: Sequence[Step]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for step in steps:
        targets = [target.name for target in step.targets if target.kind != "site"]
        table.add_row(f"  {step.id}", f"{step.title.zh} {step.title.en}", _names(targets), f"{step.deadline_s:g} s")
    return table


def _alike(survey: Survey, alike: Sequence[Failure]) -> Text:
    """Name and title of one failure; of several that come to the same: the first, and how many more."""
    first = alike[0]
    if len(alike) > 1:
        return Text.assemble((first.id, ""), (f"  and {len(alike) - 1} alike", "dim"))
    return Text.assemble(first.id, (f"  {title_of(survey.what_if.topology, first).zh}", "dim"))


def _number(count: int, style: str) -> Text:
    return Text(str(count), style) if count else Text("·", "dim")


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{', '.join(names[:_NAMES])}{more}"


def _say_hidden(console: Console, hidden: int) -> None:
    if hidden > 0:
        console.print(Text(f"… and {hidden} more, none of them worse; --json has all", "dim"))

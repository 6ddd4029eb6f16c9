"""What a finding says, in Chinese and in English: a title that names what is to be mended, and what was seen. Pure."""

from collections.abc import Callable, Sequence
from typing import get_args

from orchestrator.model.base import Title
from orchestrator.model.event import CheckRecord
from orchestrator.model.evidence import Approval
from orchestrator.model.record import AbortRecord, DecisionRecord, Interruption, Promotion, RunRecord, StepRecord
from orchestrator.model.topology import GatewayClass, Topology
from orchestrator.model.verdict import Difference, GatewayTimes, ObjectiveResult, ObjectiveState
from orchestrator.report.context import Context
from orchestrator.report.restoration import difference_rows
from orchestrator.report.texts import Language

Texts = tuple[Title, Title]
_NOBODY = Title(zh="未说明", en="not stated")


def break_glass(record: RunRecord, item: Approval) -> Texts:
    people = {person.id: person.name for person in record.topology.people.people}
    name = people.get(item.by, Title(zh=item.by, en=item.by))
    return (
        Title(zh="应急授权须由他人事后补批", en="Break-glass has to be reviewed by somebody else"),
        Title(
            zh=f"{name.zh}未经双人复核启动本次处置，理由：{item.note or '未说明'}。",
            en=f"{name.en} began this run alone, because: {item.note or 'not stated'}.",
        ),
    )


def promoted(record: RunRecord, item: Promotion) -> Texts:
    people = {person.id: person.name for person in record.topology.people.people}
    name = people.get(item.by, Title(zh=item.by, en=item.by))
    return (
        Title(zh="演练转应急须由他人事后补批", en="A promotion has to be reviewed by somebody else"),
        Title(
            zh=f"{name.zh}将演练转为应急处置，理由：{item.reason}。",
            en=f"{name.en} promoted the drill, because: {item.reason}.",
        ),
    )


def objective(item: ObjectiveResult) -> Texts:
    """Missed with a good figure: the figure is of the gateways that came back, and not all of them did."""
    missed = item.state is ObjectiveState.MISSED
    zh, en = ("未达标", "missed") if missed else ("未测得", "not measured")
    partly = missed and item.measured is not None and item.measured <= item.limit
    return (
        Title(zh=f"目标{zh}：{item.title.zh}", en=f"Objective {en}: {item.title.en}"),
        Title(
            zh=f"要求不超过 {item.limit:g} {_unit_zh(item)}，实测 {_figure(item, _unit_zh(item)) or '未测得'}"
            + ("（仅计已恢复的网关，另有网关未恢复）。" if partly else "。"),
            en=f"Expected at most {item.limit:g} {item.unit}, measured {_figure(item, item.unit) or 'nothing'}"
            + (" (of the gateways that came back; not all did)." if partly else "."),
        ),
    )


def _figure(item: ObjectiveResult, unit: str) -> str | None:
    return None if item.measured is None else f"{item.measured:.3f} {unit}"


def _unit_zh(item: ObjectiveResult) -> str:
    return "秒" if item.unit == "s" else "天"


def gateway(topology: Topology, item: GatewayTimes) -> Texts:
    receives = item.gateway_class is GatewayClass.MARKET_DATA_MULTICAST
    zh, en = ("未恢复接收行情", "did not receive again") if receives else ("未恢复登录", "did not log in again")
    known = topology.gateway.get(item.gateway)
    name = known.title if known else Title(zh=item.gateway, en=item.gateway)
    return (
        Title(zh=f"网关 {item.number} 故障期间{zh}", en=f"Gateway {item.number} {en} during the fault"),
        Title(
            zh=f"{name.zh}（{item.gateway}），所在主机 {item.host}。",
            en=f"{name.en} ({item.gateway}) on host {item.host}.",
        ),
    )


def difference(record: RunRecord, item: Difference) -> Texts:
    at = record.verdict.differences.index(item)
    zh, en = (difference_rows(Context(record, language))[at] for language in ("zh", "en"))
    return (
        Title(zh=f"未恢复原状：{zh.target} {zh.field}", en=f"Not restored: {en.target}, {en.field}"),
        Title(zh=f"演练前 {zh.before}，恢复后 {zh.after}。", en=f"Before {en.before}, after restoration {en.after}."),
    )


def not_restored() -> Texts:
    return (
        Title(zh="恢复原状未能证实", en="Restoration was not proved"),
        Title(zh="未取得恢复后与演练前一致的证据。", en="Nothing proves that all is as it was before."),
    )


def step(record: RunRecord, item: StepRecord) -> Texts:
    def title(context: Context) -> str:
        outcome = context.texts(f"step_outcome.{item.outcome}")
        undo = context.texts("steps.undo") if item.undo else ""
        name = context.texts.of(item.title)
        target = context.named_target(item.target)
        return (
            f"步骤{outcome}：{name}{undo} {target}"
            if context.language == "zh"
            else f"Step {outcome}: {name}{undo}, {target}"
        )

    def detail(context: Context) -> str:
        phase = context.texts(f"phase.{item.phase}")
        attempt = context.texts("steps.attempt", n=item.attempt) if item.attempt > 1 else ""
        said = context.texts.said(item.message) or context.texts.of(_NOBODY)
        return f"阶段：{phase}{attempt}。{said}" if context.language == "zh" else f"Phase: {phase}{attempt}. {said}"

    return _both(record, title), _both(record, detail)


def check(record: RunRecord, failed: Sequence[CheckRecord]) -> Texts:
    """One check of one target, in one or more phases."""
    first, blind = failed[0], all(item.could_not_look for item in failed)

    def title(context: Context) -> str:
        name, target = context.texts.named("check", first.check), context.named_target(first.target)
        if context.language == "zh":
            return f"检查{'未能执行' if blind else '异常'}：{name} {target}"
        return f"Check {'could not look' if blind else 'abnormal'}: {name}, {target}"

    def detail(context: Context) -> str:
        return ("；" if context.language == "zh" else "; ").join(_one_check(context, item) for item in failed) + (
            "。" if context.language == "zh" else "."
        )

    return _both(record, title), _both(record, detail)


def _one_check(context: Context, item: CheckRecord) -> str:
    texts = context.texts
    phase, expected, seen = texts(f"phase.{item.phase}"), texts.said(item.expected), texts.said(item.found)
    if context.language == "zh":
        return f"{phase}：预期 {expected}，实际 {seen}"
    return f"{phase}: expected {expected}, found {seen}"


def abort(item: AbortRecord) -> Texts:
    return (
        Title(zh="演练被中止", en="The run was aborted"),
        Title(zh=f"中止人 {item.by}，原因：{item.reason}", en=f"Asked for by {item.by}: {item.reason}"),
    )


def stopped(reasons: Sequence[Title]) -> Texts:
    return Title(zh="演练被中止", en="The run was aborted"), _joined(reasons)


def not_started(reasons: Sequence[Title]) -> Texts:
    return Title(zh="演练未能开始", en="The run could not begin"), _joined(reasons)


def interruption(item: Interruption) -> Texts:
    causes = {
        "lost": Title(zh="执行程序中断后续行", en="The orchestrator was lost, and the run resumed"),
        "waiting": Title(zh="运行停下等待人工决定", en="The run stopped for a person's decision"),
        "stopped": Title(zh="运行停止并保持后续行", en="The run was stopped and held, and resumed"),
    }
    steps = "、".join(one.step for one in item.steps), ", ".join(one.step for one in item.steps)
    return (
        causes[item.cause],
        Title(
            zh=f"持续 {item.lasted_s:.1f} 秒；中断时正在执行的步骤：{steps[0] or '无'}。",
            en=f"It lasted {item.lasted_s:.1f} s; steps under way: {steps[1] or 'none'}.",
        ),
    )


def decision(item: DecisionRecord) -> Texts:
    target = f" {item.target}" if item.target else ""
    zh, en = (f"，复核人 {item.second}", f" and {item.second}") if item.second else ("", "")
    return (
        Title(zh=f"步骤 {item.step}{target} 由人工认定", en=f"Step {item.step}{target} was settled by a person"),
        Title(
            zh=f"决定人 {item.by}{zh}，认定：{_choice(item.choice, 'zh')}，理由：{item.reason}",
            en=f"By {item.by}{en}: {_choice(item.choice, 'en')}; reason: {item.reason}",
        ),
    )


def _choice(choice: str, language: Language) -> str:
    known = {"done": ("已生效", "done"), "not-done": ("未生效、不再执行", "not done"), "repeat": ("重新执行", "repeat")}
    return known.get(choice, (choice, choice))[get_args(Language).index(language)]


def _joined(reasons: Sequence[Title]) -> Title:
    if not reasons:
        return _NOBODY
    return Title(zh="；".join(item.zh for item in reasons), en="; ".join(item.en for item in reasons))


def _both(record: RunRecord, text: Callable[[Context], str]) -> Title:
    return Title(zh=text(Context(record, "zh")), en=text(Context(record, "en")))

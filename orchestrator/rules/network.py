"""Rules over how the firm reaches SSCC, by its records: access plan, ports, use of lines, hosting, satellite, tests."""

from collections.abc import Iterator
from itertools import chain

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.records import AnnouncedTest, LineRecord, PortKind, RadioLicence
from orchestrator.model.topology import Line, LineKind
from orchestrator.rules.facts import Facts
from orchestrator.rules.rule import Found, Rule, not_applicable, not_judged, satisfied, violated
from orchestrator.rules.select import disaster_recovery, lines_carrying, listed, production

_PEAK_SHARE = 0.8  # SZSE access specification 1.05 (2025-07)


def _access_plan(facts: Facts) -> Iterator[Found]:
    """SSCC-3.2: the network follows SSCC's standard access plan. It is not public: judged as the firm declares."""
    plan, where = facts.records.access_plan, ("records", "access_plan")
    if not production(facts.topology):
        return
    if plan is None:
        yield not_judged(
            where,
            "未登记通信网络与《用户标准接入方案》的核对情况。",
            "Nobody has entered a comparison of the network with the standard access plan.",
            Title(zh="核对后填写 access_plan。", en="Compare, and fill in `access_plan`."),
        )
        return
    zh = f"通信网络于 {plan.checked_on} 由{plan.by}对照《用户标准接入方案》{plan.edition}核对"
    en = f"The network, compared with the standard access plan {plan.edition} by {plan.by} on {plan.checked_on}"
    if plan.deviations:
        differs = listed(plan.deviations)
        mend = Title(zh="按方案改正，或与深证通书面确认。", en="Correct it, or have SSCC agree in writing.")
        yield violated(where, f"{zh}，不一致之处：{differs.zh}。", f"{en}, differs: {differs.en}.", mend)
    else:
        yield satisfied(where, f"{zh}，一致。", f"{en}, is as it says.")


def _access_plan_current(facts: Facts) -> Iterator[Found]:
    """SSCC-3.2 says "configured and used": what was compared once is compared again (our reading)."""
    plan, where = facts.records.access_plan, ("records", "access_plan", "checked_on")
    if plan is None:
        return
    if facts.is_stale(plan.checked_on):
        yield violated(
            where,
            f"与《用户标准接入方案》的核对为 {plan.checked_on}，已超过复核周期。",
            f"The comparison with the standard access plan is of {plan.checked_on}, too long ago.",
            Title(zh="重新核对并更新登记。", en="Compare again, and correct the entry."),
        )
    else:
        yield satisfied(
            where,
            f"与《用户标准接入方案》的核对（{plan.checked_on}）在复核周期内。",
            f"The comparison of {plan.checked_on} with the standard access plan is recent enough.",
        )


def _recorded(facts: Facts, line: Line) -> LineRecord | None:
    return next((item for item in facts.records.lines if item.line == line.id), None)


def _routed_port(facts: Facts) -> Iterator[Found]:
    """SSCC-3.2b: a layer 3 port, never a layer 2 one. A port that nobody looked at is not judged."""
    topology = facts.topology
    for line in lines_carrying(topology, [*production(topology), *disaster_recovery(topology)]):
        known = _recorded(facts, line)
        zh, en = f"{line.title.zh}（{line.id}）", f"{line.title.en} ({line.id})"
        if not line.routed_port or (known and known.port is PortKind.SWITCHED):
            yield violated(
                ("lines", line.id, "routed_port"),
                f"{zh}以交换（2 层）端口互联，不符合要求。",
                f"{en} ends at a switched (layer 2) port, which is not allowed.",
                Title(zh="改为路由（3 层）端口。", en="Make it a routed (layer 3) port."),
            )
        elif known:
            yield satisfied(
                ("lines", line.id, "routed_port"),
                f"{zh}为路由（3 层）端口（{known.port_checked_on} 核对）。",
                f"{en} ends at a routed port (looked at on {known.port_checked_on}).",
            )
        else:
            yield not_judged(
                ("lines", line.id, "routed_port"),
                f"{zh}的互联端口类型未经核对。",
                f"{en}: nobody has entered what kind of port it ends at.",
                Title(zh="核对设备后在 lines 中登记 port。", en="Look at the device, and enter `port` in `lines`."),
            )


def _peak_use(facts: Facts) -> Iterator[Found]:
    """SZSE's limit for lines of the same kind: peak use of the last year below 80 % of the bandwidth."""
    for line in lines_carrying(facts.topology, production(facts.topology)):
        if line.kind is not LineKind.TERRESTRIAL:
            continue
        where = ("lines", line.id, "bandwidth_mbps")
        known = _recorded(facts, line)
        zh, en = f"{line.title.zh}（{line.id}）", f"{line.title.en} ({line.id})"
        if known is None or known.peak_mbps is None:
            yield not_judged(
                where,
                f"{zh}的峰值流量未登记。",
                f"{en}: its peak use is not entered.",
                Title(zh="在 lines 中登记 peak_mbps 和 peak_since。", en="Enter `peak_mbps` and `peak_since`."),
            )
            continue
        zh = f"{zh}自 {known.peak_since} 以来峰值 {known.peak_mbps:g} Mbps，为带宽的"
        en = f"{en} has peaked at {known.peak_mbps:g} Mbps since {known.peak_since},"
        share = known.peak_mbps / line.bandwidth_mbps
        if share >= _PEAK_SHARE:
            mend = Title(zh="向运营商申请扩容。", en="Have the carrier widen it.")
            yield violated(where, f"{zh} {share:.0%}，达到或超过 80%。", f"{en} {share:.0%}: 80 % or more.", mend)
        else:
            yield satisfied(where, f"{zh} {share:.0%}。", f"{en} {share:.0%} of its bandwidth.")


def _hosting(facts: Facts) -> Iterator[Found]:
    """SSCC-3.3: who is hosted by SSCC reaches the hosting network over redundant lines."""
    hosting, where = facts.records.hosting, ("records", "hosting")
    if not production(facts.topology):
        return
    if hosting is None:
        yield not_judged(
            where,
            "未登记集中运行中心是否托管在深证通数据中心。",
            "Whether the firm's systems stand in SSCC's data centre is not entered.",
            Title(zh="填写 hosting。", en="Fill in `hosting`."),
        )
    elif not hosting.hosted:
        yield not_applicable(
            where,
            "集中运行中心未托管在深证通数据中心，本条不适用。",
            "The firm's systems do not stand in SSCC's data centre.",
        )
    elif len(set(hosting.lines)) < 2:  # noqa: PLR2004 - redundant
        yield violated(
            where,
            f"接入综合托管网的线路不足两条（{'、'.join(hosting.lines) or '无'}）。",
            f"Fewer than two lines lead into the hosting network ({', '.join(hosting.lines) or 'none'}).",
            Title(zh="增设互为冗余的线路。", en="Add a second line."),
        )
    else:
        names = listed(facts.topology.line[name].title for name in dict.fromkeys(hosting.lines))
        yield satisfied(
            where,
            f"由{names.zh}互为冗余接入综合托管网。",
            f"{names.en} lead into the hosting network beside each other.",
        )


def _satellites(facts: Facts) -> Iterator[Line]:
    return (line for line in facts.topology.lines if line.kind is not LineKind.TERRESTRIAL)


def _licence(facts: Facts) -> Iterator[Found]:
    """SSCC-3.4: satellite users hold the radio station licence and have filed it."""
    for line in _satellites(facts):
        known = next((item for item in facts.records.radio_licences if item.line == line.id), None)
        where = ("records", "radio_licences", line.id)
        name = Title(zh=f"{line.title.zh}（{line.id}）", en=f"{line.title.en} ({line.id})")
        if known is None:
            yield not_judged(
                where,
                f"{name.zh}的无线电台执照未登记。",
                f"{name.en}: its radio licence is not entered.",
                Title(zh="在 radio_licences 中登记。", en="Enter it in `radio_licences`."),
            )
        else:
            yield _held(facts, where, name, known)


def _held(facts: Facts, where: tuple[str, ...], name: Title, known: RadioLicence) -> Found:
    if known.valid_to < facts.today:
        return violated(
            where,
            f"{name.zh}的无线电台执照 {known.number} 已于 {known.valid_to} 到期。",
            f"{name.en}: radio licence {known.number} expired on {known.valid_to}.",
            Title(zh="立即向当地无线电管理部门办理延续。", en="Have it renewed by the radio authority at once."),
        )
    if known.filed_on is None:
        return violated(
            where,
            f"{name.zh}的无线电台执照 {known.number} 未向当地无线电管理部门报备。",
            f"{name.en}: radio licence {known.number} has not been filed with the radio authority.",
            Title(zh="报备后填写 filed_on。", en="File it, then fill in `filed_on`."),
        )
    return satisfied(
        where,
        f"{name.zh}的无线电台执照 {known.number} 有效至 {known.valid_to}，已于 {known.filed_on} 报备。",
        f"{name.en}: radio licence {known.number} is valid to {known.valid_to} and was filed on {known.filed_on}.",
    )


def _licence_due(facts: Facts) -> Iterator[Found]:
    """SSCC-3.4: a licence that ends soon is renewed before it does."""
    for item in facts.records.radio_licences:
        where = ("records", "radio_licences", item.line, "valid_to")
        if facts.ends_soon(item.valid_to):
            yield violated(
                where,
                f"无线电台执照 {item.number} 将于 {item.valid_to} 到期。",
                f"Radio licence {item.number} ends on {item.valid_to}.",
                Title(zh="办理延续。", en="Have it renewed."),
            )
        elif item.valid_to >= facts.today:
            yield satisfied(
                where,
                f"无线电台执照 {item.number} 近期不到期。",
                f"Radio licence {item.number} does not end soon.",
            )


def _took_part(facts: Facts) -> Iterator[Found]:
    """SSCC-3.5: taking part in SSCC's tests and construction, or the reason for not."""
    if not production(facts.topology):
        return
    past = [item for item in facts.records.announced_tests if item.day < facts.today]
    yield from chain.from_iterable(_participation(item) for item in past)
    if not past:
        yield not_judged(
            ("records", "announced_tests"),
            "没有登记深证通已公告并已举行的测试。",
            "No test that SSCC announced and held is entered.",
            Title(zh="在 announced_tests 中登记参加情况。", en="Enter them, and whether the firm took part."),
        )


def _participation(item: AnnouncedTest) -> Iterator[Found]:
    where = ("records", "announced_tests", item.id)
    zh, en = f"{item.title.zh}（{item.day}）", f"{item.title.en} ({item.day})"
    if item.took_part:
        yield satisfied(where, f"已参加{zh}。", f"The firm took part in {en}.")
    elif item.reason:
        yield satisfied(
            where, f"未参加{zh}，原因：{item.reason}", f"The firm did not take part in {en}, because: {item.reason}"
        )
    else:
        yield violated(
            where,
            f"{zh}已举行，未登记参加情况，也没有说明未参加的原因。",
            f"{en} is over: neither taking part nor a reason for not is entered.",
            Title(
                zh="填写 took_part；未参加的填写 reason。", en="Fill in `took_part`, or `reason` if the firm did not."
            ),
        )


_LINE = Title(zh="通往深证通的线路", en="line towards SSCC")
_CENTRE = Title(zh="深证通生产中心", en="production centre of SSCC")
_SATELLITE = Title(zh="卫星线路", en="satellite line")
_PLAN = Title(zh="与标准接入方案的核对", en="comparison with the standard access plan")
_LICENCE = Title(zh="有效的无线电台执照", en="valid radio licence")

RULES = (
    Rule("access-plan", "SSCC-3.2", Severity.ERROR, _CENTRE, _access_plan),
    Rule("access-plan-compared-lately", "SSCC-3.2", Severity.WARNING, _PLAN, _access_plan_current),
    Rule("routed-port", "SSCC-3.2b", Severity.ERROR, _LINE, _routed_port),
    Rule("peak-use", "SZSE access specification 1.05", Severity.WARNING, _LINE, _peak_use),
    Rule("hosting-lines", "SSCC-3.3", Severity.ERROR, _CENTRE, _hosting),
    Rule("radio-licence", "SSCC-3.4", Severity.ERROR, _SATELLITE, _licence),
    Rule("radio-licence-due", "SSCC-3.4", Severity.WARNING, _LICENCE, _licence_due),
    Rule("tests-taken-part", "SSCC-3.5", Severity.WARNING, _CENTRE, _took_part),
)

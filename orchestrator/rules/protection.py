"""Rules over protection: isolation of the NEEQ/BSE network, backup of logs, classified-protection assessments."""

from collections.abc import Iterator
from datetime import date

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.records import Assessment, LogArchive
from orchestrator.rules.facts import Facts, months_after
from orchestrator.rules.rule import Found, Rule, not_judged, satisfied, violated
from orchestrator.rules.select import SSCC_CLASSES, gateways

_YEAR_MONTHS = 12  # SSCC-4.2: at least one year


def _devices(facts: Facts) -> list[str]:
    """Hosts of NEEQ/BSE gateways, which are the terminals, and the routers that they go out by."""
    hosts = dict.fromkeys(gateway.host for gateway in gateways(facts.topology, SSCC_CLASSES))
    routers = dict.fromkeys(facts.topology.host[host].router for host in hosts)
    return [*hosts, *routers]


def _isolated(facts: Facts) -> Iterator[Found]:
    """SSCC-4.1: kept apart from the firm's other networks, and never joined to the Internet. Judged as stated; every
    drill looks at the routes.
    """
    if not _devices(facts):
        return
    said, where = facts.records.isolation, ("records", "isolation")
    if said is None:
        yield not_judged(
            where,
            "未登记股转、北交所通信网络的隔离情况。",
            "How the NEEQ/BSE network is kept apart is not entered.",
            Title(zh="填写 isolation。", en="Fill in `isolation`."),
        )
    elif said.joins_public_network:
        yield violated(
            (*where, "joins_public_network"),
            "股转通信网络与互联网等公共网络互连。",
            "The NEEQ/BSE network is joined to the Internet or another public network.",
            Title(zh="立即断开。", en="Cut it off at once."),
        )
    elif said.separated_by is None:
        yield violated(
            (*where, "separated_by"),
            "股转通信网络与内部其他网络没有隔离措施。",
            "Nothing keeps the NEEQ/BSE network apart from the firm's other networks.",
            Title(zh="部署隔离措施并登记。", en="Put something between them, and enter it."),
        )
    else:
        yield satisfied(
            where,
            f"以{said.separated_by.zh}隔离，不与公共网络互连（{said.by}，{said.stated_on}）。",
            f"Kept apart by {said.separated_by.en}, not joined to a public network ({said.by}, {said.stated_on}).",
        )


def _isolation_current(facts: Facts) -> Iterator[Found]:
    """A statement about a network holds for the network of its day."""
    said, where = facts.records.isolation, ("records", "isolation", "stated_on")
    if said is None:
        return
    if facts.is_stale(said.stated_on):
        yield violated(
            where,
            f"隔离情况说明为 {said.stated_on}，已超过复核周期。",
            f"The statement on isolation is of {said.stated_on}, too long ago.",
            Title(zh="重新核对并更新登记。", en="Look again, and correct the entry."),
        )
    else:
        yield satisfied(
            where,
            f"隔离情况说明（{said.stated_on}）在复核周期内。",
            f"The statement on isolation of {said.stated_on} is recent enough.",
        )


def _logs(facts: Facts) -> Iterator[Found]:
    """SSCC-4.2: logs of devices and terminals are backed up and kept for at least one year."""
    for name in _devices(facts):
        where = ("records", "log_archives", name)
        archives = [item for item in facts.records.log_archives if name in item.devices]
        if archives:
            yield _kept(where, name, max(archives, key=lambda item: item.kept_months))
        elif facts.records.log_archives:
            yield violated(
                where,
                f"{name} 的日志未纳入任何备份。",
                f"The logs of {name} are in no archive.",
                Title(zh="纳入日志备份并登记。", en="Back them up, and enter it."),
            )
        else:
            yield not_judged(
                where,
                f"{name} 的日志备份情况未登记。",
                f"Whether the logs of {name} are backed up is not entered.",
                Title(zh="在 log_archives 中登记。", en="Enter it in `log_archives`."),
            )


def _kept(where: tuple[str, ...], name: str, archive: LogArchive) -> Found:
    zh = f"{name} 的日志自 {archive.since} 起备份于{archive.where}，保存 {archive.kept_months} 个月"
    en = f"The logs of {name} are in {archive.where} since {archive.since} and kept {archive.kept_months} months"
    if archive.kept_months < _YEAR_MONTHS:
        mend = Title(zh="将保存期限改为至少 12 个月。", en="Keep them for 12 months at least.")
        return violated(where, f"{zh}，不足一年。", f"{en}: less than a year.", mend)
    return satisfied(where, f"{zh}。", f"{en}.")


def _next_due(item: Assessment) -> date:
    return months_after(item.assessed_on, item.every_months)


def _assessed(facts: Facts) -> Iterator[Found]:
    """SSCC-4.3: devices and terminals are in the classified-protection assessment, which is repeated."""
    for name in _devices(facts):
        where = ("records", "assessments", name)
        covering = [item for item in facts.records.assessments if name in item.devices]
        if covering:
            yield _repeated(facts, where, name, max(covering, key=_next_due))
        elif facts.records.assessments:
            yield violated(
                where,
                f"{name} 未纳入等保测评范围。",
                f"{name} is in no classified-protection assessment.",
                Title(zh="纳入下一次等保测评。", en="Take it into the next assessment."),
            )
        else:
            yield not_judged(
                where,
                f"{name} 的等保测评情况未登记。",
                f"Whether {name} is in a classified-protection assessment is not entered.",
                Title(zh="在 assessments 中登记。", en="Enter it in `assessments`."),
            )


def _repeated(facts: Facts, where: tuple[str, ...], name: str, item: Assessment) -> Found:
    zh = f"{name} 在“{item.title.zh}”（{item.level} 级，{item.assessed_on}）范围内"
    en = f"{name} is in {item.title.en} (level {item.level}, {item.assessed_on})"
    due = _next_due(item)
    if due < facts.today:
        return violated(
            where,
            f"{zh}，但应于 {due} 前重新测评。",
            f"{en}, which was to be repeated by {due}.",
            Title(zh="尽快开展等保测评。", en="Have it repeated."),
        )
    return satisfied(where, f"{zh}，下次不晚于 {due}。", f"{en}, next by {due}.")


def _assessment_due(facts: Facts) -> Iterator[Found]:
    """SSCC-4.3: an assessment takes weeks to arrange."""
    for item in facts.records.assessments:
        where, due = ("records", "assessments", item.id), _next_due(item)
        if facts.ends_soon(due):
            yield violated(
                where,
                f"“{item.title.zh}”应于 {due} 前重新测评。",
                f"{item.title.en} is to be repeated by {due}.",
                Title(zh="安排等保测评。", en="Arrange it."),
            )
        elif due >= facts.today:
            yield satisfied(where, f"“{item.title.zh}”下次测评不晚于 {due}。", f"{item.title.en} is repeated by {due}.")


_DEVICE = Title(zh="股转、北交所接入终端和网络设备", en="NEEQ/BSE terminal or network device")
_STATEMENT = Title(zh="隔离情况说明", en="statement on isolation")
_CURRENT = Title(zh="未到期的等保测评", en="assessment that is not overdue")

RULES = (
    Rule("isolation", "SSCC-4.1", Severity.ERROR, _DEVICE, _isolated),
    Rule("isolation-stated-lately", "SSCC-4.1", Severity.WARNING, _STATEMENT, _isolation_current),
    Rule("log-archive", "SSCC-4.2", Severity.ERROR, _DEVICE, _logs),
    Rule("assessment", "SSCC-4.3", Severity.ERROR, _DEVICE, _assessed),
    Rule("assessment-due", "SSCC-4.3", Severity.WARNING, _CURRENT, _assessment_due),
)

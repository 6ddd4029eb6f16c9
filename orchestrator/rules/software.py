"""Rules over the software of NEEQ/BSE gateways: approved versions, manuals followed, interface specifications."""

from collections.abc import Iterator

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.records import ApprovedVersion, Installation, Publisher, Specification
from orchestrator.model.topology import Gateway
from orchestrator.rules.facts import Facts
from orchestrator.rules.rule import Found, Rule, not_judged, satisfied, violated
from orchestrator.rules.select import SSCC_CLASSES, gateways, listed, named

_PUBLISHED_BY = {
    Publisher.NEEQ: Title(zh="全国股转公司", en="NEEQ"),
    Publisher.BSE: Title(zh="北交所", en="BSE"),
    Publisher.CHINA_CLEAR: Title(zh="中国结算", en="China Clear"),
}


def _version_approved(facts: Facts) -> Iterator[Found]:
    """SSCC-2.1: only versions that SSCC requires, upgraded in time. What the host says goes before what is declared."""
    for gateway in gateways(facts.topology, SSCC_CLASSES):
        where = ("records", "software", "installed", gateway.id)
        name, version = named(gateway), _version(facts, gateway)
        approved = [item for item in facts.records.software.approved if item.gateway_class is gateway.gateway_class]
        if version is None:
            yield not_judged(
                where,
                f"{name.zh}的软件版本未登记，或其主机没有应答。",
                f"{name.en}: the installed version is not entered, or its host did not answer.",
                Title(
                    zh="在 software.installed 中登记，或使主机可达。",
                    en="Enter it in `software.installed`, or make the host answer.",
                ),
            )
        elif not approved:
            yield not_judged(
                where,
                f"{name.zh}：{gateway.gateway_class} 类网关没有登记深证通要求的版本。",
                f"{name.en}: no version that SSCC requires is entered for class {gateway.gateway_class}.",
                Title(zh="在 software.approved 中登记深证通公布的版本。", en="Enter what SSCC announced."),
            )
        else:
            yield _held_against(facts, where, name, version, approved)


def _version(facts: Facts, gateway: Gateway) -> str | None:
    """None: nobody knows; a host that was asked and did not answer is not judged by what is declared."""
    if facts.live is not None and gateway.id in facts.live.versions:
        return facts.live.versions[gateway.id]
    if facts.live is not None and gateway.host in facts.live.unreachable:
        return None
    return next((item.version for item in facts.records.software.installed if item.gateway == gateway.id), None)


def _held_against(
    facts: Facts, where: tuple[str, ...], name: Title, version: str, approved: list[ApprovedVersion]
) -> Found:
    usable = [item for item in approved if item.valid_from <= facts.today <= (item.valid_to or facts.today)]
    if any(item.version == version for item in usable):
        return satisfied(
            where, f"{name.zh}版本 {version} 符合要求。", f"{name.en}: version {version} is as SSCC requires."
        )
    now = ", ".join(item.version for item in usable)
    return violated(
        where,
        f"{name.zh}版本 {version} 不在现行要求的版本（{now or '无'}）之内。",
        f"{name.en}: version {version} is none of those required now ({now or 'none'}).",
        Title(zh="按深证通要求升级，并更新登记。", en="Upgrade as SSCC requires, and correct the entry."),
    )


def _upgrade_due(facts: Facts) -> Iterator[Found]:
    """SSCC-2.1: in time is before the version's last day."""
    for item in facts.records.software.approved:
        users = [gateway for gateway in _of_class(facts, item) if _version(facts, gateway) == item.version]
        where = ("records", "software", "approved", f"{item.gateway_class}-{item.version}")
        names = ", ".join(gateway.id for gateway in users)
        if users and item.valid_to and facts.ends_soon(item.valid_to):
            yield violated(
                where,
                f"版本 {item.version} 可用至 {item.valid_to}，仍在使用的网关：{names}。",
                f"Version {item.version} may be used until {item.valid_to}; still in use by {names}.",
                Title(zh="在此日期前完成升级。", en="Upgrade before that day."),
            )
        elif users:
            yield satisfied(
                where,
                f"版本 {item.version}（{names}）近期没有升级期限。",
                f"Version {item.version} ({names}) has no upgrade due soon.",
            )


def _of_class(facts: Facts, item: ApprovedVersion) -> list[Gateway]:
    return [gateway for gateway in facts.topology.gateways if gateway.gateway_class is item.gateway_class]


def _by_manual(facts: Facts) -> Iterator[Found]:
    """SSCC-2.2: installed and used as notes and manual say. Judged by the firm's own comparison."""
    for gateway in gateways(facts.topology, SSCC_CLASSES):
        where = ("records", "installations", gateway.id)
        checked = [item for item in facts.records.installations if gateway.id in item.gateways]
        if checked:
            yield _as_checked(where, named(gateway), max(checked, key=lambda item: item.checked_on))
        else:
            yield not_judged(
                where,
                f"{named(gateway).zh}未登记与用户手册的核对情况。",
                f"{named(gateway).en}: nobody has entered a comparison with its manual.",
                Title(zh="核对后在 installations 中登记。", en="Compare, and enter it in `installations`."),
            )


def _as_checked(where: tuple[str, ...], name: Title, found: Installation) -> Found:
    zh = f"{name.zh}于 {found.checked_on} 由{found.by}对照《{found.document}》{found.edition}核对"
    en = f"{name.en}, compared with {found.document} {found.edition} by {found.by} on {found.checked_on}"
    if found.deviations:
        differs = listed(found.deviations)
        return violated(
            where,
            f"{zh}，不一致之处：{differs.zh}。",
            f"{en}, differs: {differs.en}.",
            Title(zh="按手册改正后重新核对。", en="Correct it by the manual, then compare again."),
        )
    return satisfied(where, f"{zh}，一致。", f"{en}, is as it says.")


def _installation_current(facts: Facts) -> Iterator[Found]:
    """That a comparison with the manual is repeated is our reading of "used as the manual says"."""
    for item in facts.records.installations:
        where = ("records", "installations", item.gateways[0])
        if facts.is_stale(item.checked_on):
            yield violated(
                where,
                f"与《{item.document}》的核对为 {item.checked_on}，已超过复核周期 {facts.records.review_months} 个月。",
                f"The comparison with {item.document} of {item.checked_on} is more than "
                f"{facts.records.review_months} months old.",
                Title(zh="重新核对并更新登记。", en="Compare again, and correct the entry."),
            )
        else:
            yield satisfied(
                where,
                f"与《{item.document}》的核对（{item.checked_on}）在复核周期内。",
                f"The comparison with {item.document} of {item.checked_on} is recent enough.",
            )


def _specifications(facts: Facts) -> Iterator[Found]:
    """SSCC-2.6: the latest interface specifications of NEEQ, BSE and China Clear."""
    if not any(gateways(facts.topology, SSCC_CLASSES)):
        return
    for publisher in Publisher:
        known = [item for item in facts.records.specifications if item.publisher is publisher]
        yield from (_in_use(facts, item) for item in known)
        if not known:
            name = _PUBLISHED_BY[publisher]
            yield not_judged(
                ("records", "specifications", publisher),
                f"没有登记{name.zh}的数据接口规范版本。",
                f"No data interface specification of {name.en} is entered.",
                Title(zh="在 specifications 中登记在用和最新版本。", en="Enter the version in use and the latest."),
            )


def _in_use(facts: Facts, item: Specification) -> Found:
    where = ("records", "specifications", item.id)
    if item.in_use == item.latest:
        return satisfied(
            where,
            f"{item.title.zh}使用最新版本 {item.latest}。",
            f"{item.title.en}: the latest version {item.latest} is in use.",
        )
    if facts.today < item.latest_from:
        return satisfied(
            where,
            f"{item.title.zh}使用 {item.in_use}，最新版本 {item.latest} 自 {item.latest_from} 起施行。",
            f"{item.title.en}: {item.in_use} is in use; {item.latest} is in force from {item.latest_from} on.",
            Title(zh="在施行日前完成切换。", en="Change over before that day."),
        )
    return violated(
        where,
        f"{item.title.zh}使用 {item.in_use}，最新版本 {item.latest} 已自 {item.latest_from} 起施行。",
        f"{item.title.en}: {item.in_use} is in use, but {item.latest} is in force since {item.latest_from}.",
        Title(zh="改用最新版本的数据接口规范。", en="Change over to the latest version."),
    )


def _specifications_current(facts: Facts) -> Iterator[Found]:
    """Which version is the latest is known only as of the day on which somebody looked."""
    for item in facts.records.specifications:
        where = ("records", "specifications", item.id)
        if facts.is_stale(item.looked_up_on):
            yield violated(
                where,
                f"{item.title.zh}的最新版本查询于 {item.looked_up_on}，已超过复核周期。",
                f"{item.title.en}: the latest version was looked up on {item.looked_up_on}, too long ago.",
                Title(zh="到发布机构官网重新查询。", en="Look it up again at its publisher."),
            )
        else:
            yield satisfied(
                where,
                f"{item.title.zh}的最新版本查询于 {item.looked_up_on}。",
                f"{item.title.en}: the latest version was looked up on {item.looked_up_on}.",
            )


_GATEWAY = Title(zh="股转、北交所网关", en="NEEQ/BSE gateway")
_IN_USE = Title(zh="在用的深证通要求版本", en="required version in use")
_COMPARED = Title(zh="与用户手册的核对", en="comparison with a manual")
_LOOKED_UP = Title(zh="数据接口规范", en="data interface specification")

RULES = (
    Rule("software-approved", "SSCC-2.1", Severity.ERROR, _GATEWAY, _version_approved),
    Rule("software-upgrade-due", "SSCC-2.1", Severity.WARNING, _IN_USE, _upgrade_due),
    Rule("installed-by-manual", "SSCC-2.2", Severity.ERROR, _GATEWAY, _by_manual),
    Rule("manual-compared-lately", "SSCC-2.2", Severity.WARNING, _COMPARED, _installation_current),
    Rule("interface-specifications", "SSCC-2.6", Severity.ERROR, _GATEWAY, _specifications),
    Rule("specifications-looked-up", "SSCC-2.6", Severity.WARNING, _LOOKED_UP, _specifications_current),
)

"""Rules over the market technology platform: who may work on it, and whether what it has on file is the inventory."""

from collections.abc import Iterator

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.people import PersonRole
from orchestrator.model.platform_export import ExportRow, PlatformExport
from orchestrator.model.records import PlatformAccount, PlatformRole
from orchestrator.model.topology import Gateway
from orchestrator.rules.facts import Facts
from orchestrator.rules.rule import Found, Rule, not_judged, satisfied, violated
from orchestrator.rules.select import SSE_CLASSES, gateways, named

_MOST_ADMINS = 3  # SSE-1
_ACCOUNTS = ("records", "platform", "accounts")
_EXPORT = ("records", "platform", "export")


def _is_used(facts: Facts) -> bool:
    return any(gateways(facts.topology, SSE_CLASSES))


def _accounts(facts: Facts, role: PlatformRole | None = None) -> list[PlatformAccount]:
    known = facts.records.platform.accounts if facts.records.platform else ()
    return [item for item in known if role is None or role in item.roles]


def _admins(facts: Facts) -> Iterator[Found]:
    """SSE-1: one to three institution admins (机构管理员)."""
    if not _is_used(facts):
        return
    found = [item.person for item in _accounts(facts, PlatformRole.ADMIN)]
    names = ", ".join(found)
    if not _accounts(facts):
        yield _nobody("市场技术服务平台的机构管理员", "Who administers the platform")
    elif 1 <= len(found) <= _MOST_ADMINS:
        yield satisfied(_ACCOUNTS, f"机构管理员 {len(found)} 名（{names}）。", f"{len(found)} admins: {names}.")
    else:
        yield violated(
            _ACCOUNTS,
            f"机构管理员 {len(found)} 名（{names or '无'}），应为 1 至 {_MOST_ADMINS} 名。",
            f"{len(found)} admins ({names or 'none'}) instead of 1 to {_MOST_ADMINS}.",
            Title(zh="在平台上调整，并更新登记。", en="Change it on the platform, and correct the entry."),
        )


def _nobody(zh: str, en: str) -> Found:
    return not_judged(
        _ACCOUNTS,
        f"{zh}未登记。",
        f"{en} is not entered.",
        Title(zh="在 platform.accounts 中登记。", en="Enter it in `platform.accounts`."),
    )


def _operators(facts: Facts) -> Iterator[Found]:
    """SSE-1: somebody holds the platform's role 网关操作岗; whoever answers for it here does so there."""
    if not _is_used(facts):
        return
    if not _accounts(facts):
        yield _nobody("市场技术服务平台的网关操作岗", "Who operates gateways on the platform")
        return
    there = {item.person for item in _accounts(facts, PlatformRole.GATEWAY_OPERATOR)}
    here = [person.id for person in facts.topology.people.with_role(PersonRole.GATEWAY_OPERATOR)]
    without = [name for name in here if name not in there]
    if not there or without:
        names = ", ".join(without) or "none"
        yield violated(
            _ACCOUNTS,
            f"没有平台网关操作岗账号的网关操作人员：{names if without else '全部'}。",
            f"Gateway operators without that role on the platform: {names if without else 'all'}.",
            Title(
                zh="由机构管理员创建个人子账号并授予网关操作岗。", en="Have an admin give them an account and the role."
            ),
        )
    else:
        names = ", ".join(sorted(there))
        yield satisfied(_ACCOUNTS, f"网关操作岗：{names}。", f"Gateway operators on the platform: {names}.")


def _vpn(facts: Facts) -> Iterator[Found]:
    """SSE-1: the platform is reached by VPN, with a code to the person's own phone."""
    for item in _accounts(facts):
        where = (*_ACCOUNTS, item.person)
        if item.vpn:
            yield satisfied(where, f"{item.person} 有 VPN 账号。", f"{item.person} has a VPN account.")
        else:
            yield violated(
                where,
                f"{item.person} 没有 VPN 账号，无法登录平台。",
                f"{item.person} has no VPN account and cannot log in to the platform.",
                Title(zh="申请 VPN 账号。", en="Apply for one."),
            )


def _phones(facts: Facts) -> Iterator[Found]:
    """SSE-1: a code that goes to an old number opens nothing on the night on which it is needed."""
    for item in _accounts(facts):
        where = (*_ACCOUNTS, item.person, "phone_checked_on")
        if item.phone_checked_on is None:
            yield not_judged(
                where,
                f"{item.person} 接收短信验证码的手机号未经核对。",
                f"{item.person}: nobody has entered that the number for the SMS code is right.",
                Title(zh="核对后填写 phone_checked_on。", en="Look, then fill in `phone_checked_on`."),
            )
        elif facts.is_stale(item.phone_checked_on):
            yield violated(
                where,
                f"{item.person} 的手机号核对于 {item.phone_checked_on}，已超过复核周期。",
                f"{item.person}: the number for the SMS code was looked at on {item.phone_checked_on}, too long ago.",
                Title(zh="登录一次平台核对手机号。", en="Log in once, and correct the entry."),
            )
        else:
            yield satisfied(
                where,
                f"{item.person} 的手机号于 {item.phone_checked_on} 核对。",
                f"{item.person}: the number for the SMS code was right on {item.phone_checked_on}.",
            )


def _on_file(facts: Facts) -> Iterator[Found]:
    """SSE-2.2d: gateways are opened, changed and revoked on the platform; what it has on file is the inventory."""
    export = facts.platform
    if not _is_used(facts):
        return
    if export is None:
        yield not_judged(
            _EXPORT,
            "没有平台的网关与数字证书查询结果可供核对。",
            "There is no query result of the platform to compare with.",
            Title(
                zh="从平台导出，使用 --platform FILE，或在 platform.export 中登记。",
                en="Export it, then use `--platform FILE` or enter it in `platform.export`.",
            ),
        )
        return
    numbers: dict[str, Gateway] = {}
    for gateway in gateways(facts.topology, SSE_CLASSES):
        numbers.setdefault(gateway.number, gateway)
        yield from _gateway_on_file(export, gateway) if numbers[gateway.number] is gateway else ()
    for number in dict.fromkeys(row.number for row in export.rows):
        if number not in numbers and not all(row.is_revoked for row in export.rows if row.number == number):
            yield violated(
                ("platform", number),
                f"平台上的网关 {number} 不在资产清单中（{export.name}）。",
                f"Gateway {number} is on the platform ({export.name}), but not in the inventory.",
                Title(zh="登记该网关，或在平台上撤销。", en="Enter it, or revoke it on the platform."),
            )


def _gateway_on_file(export: PlatformExport, gateway: Gateway) -> Iterator[Found]:
    rows = [row for row in export.rows if row.number == gateway.number]
    where, name = ("gateways", gateway.id, "number"), named(gateway)
    kinds = {row.gateway_class for row in rows if row.gateway_class is not None}
    if not rows:
        yield violated(
            where,
            f"{name.zh}不在平台的查询结果中（{export.name}）。",
            f"{name.en} is not in the platform's query ({export.name}).",
            Title(zh="核对网关号，或在平台上开通。", en="Look at its number, or have it opened on the platform."),
        )
    elif kinds - {gateway.gateway_class}:
        yield violated(
            where,
            f"{name.zh}在平台上登记为 {', '.join(sorted(kinds))}，资产清单为 {gateway.gateway_class}。",
            f"{name.en} is {', '.join(sorted(kinds))} on the platform and {gateway.gateway_class} here.",
            Title(zh="核对并更正其中之一。", en="Look which is right, and correct the other."),
        )
    else:
        yield satisfied(where, f"{name.zh}与平台一致。", f"{name.en} is on the platform.")


def _certificates_on_file(facts: Facts) -> Iterator[Found]:
    """SSE-2.2d: the platform's certificates of a gateway are the ones that the inventory has, and valid."""
    if facts.platform is None:
        return
    rows: dict[str, list[ExportRow]] = {}
    for row in facts.platform.rows:
        rows.setdefault(row.number, []).append(row)
    seen: set[str] = set()
    for gateway in gateways(facts.topology, SSE_CLASSES):
        if gateway.number in rows and gateway.number not in seen:
            seen.add(gateway.number)
            yield from _certificates_of(facts, gateway, rows[gateway.number])


def _certificates_of(facts: Facts, gateway: Gateway, rows: list[ExportRow]) -> Iterator[Found]:
    known = {row.certificate: row for row in rows if row.certificate}
    for certificate in gateway.certificates:
        yield _one_certificate(facts, gateway, certificate, known.get(certificate))
    for certificate, row in known.items():
        if certificate not in gateway.certificates and not row.is_revoked:
            yield violated(
                ("gateways", gateway.id, "certificates"),
                f"{named(gateway).zh}在平台上另有数字证书 {certificate}，资产清单未登记。",
                f"{named(gateway).en} has certificate {certificate} on the platform, which is not entered here.",
                Title(
                    zh="登记该证书，或在 platform.export.certificates 中写明对应关系。",
                    en="Enter it, or say in `platform.export.certificates` which of ours it is.",
                ),
            )


def _one_certificate(facts: Facts, gateway: Gateway, certificate: str, row: ExportRow | None) -> Found:
    where = ("certificates", certificate)
    zh, en = f"{named(gateway).zh}的数字证书 {certificate} ", f"{named(gateway).en}: certificate {certificate}"
    mend = Title(zh="在平台上核对，更换证书并更新登记。", en="Look on the platform; change it, and correct the entry.")
    if row is None:
        return violated(where, f"{zh}不在平台的查询结果中。", f"{en} is not in the platform's query.", mend)
    if row.is_revoked:
        return violated(where, f"{zh}在平台上已注销（{row.state}）。", f"{en} is revoked ({row.state}).", mend)
    if row.valid_to and row.valid_to < facts.today:
        return violated(where, f"{zh}已于 {row.valid_to} 到期。", f"{en} expired on {row.valid_to}.", mend)
    if not row.is_valid:
        return not_judged(
            where,
            f"{zh}在平台上的状态“{row.state}”含义未登记。",
            f"{en} has the state {row.state!r} on the platform, whose meaning is not entered.",
            Title(zh="在 platform.export 中登记该状态。", en="Enter the state in `platform.export`."),
        )
    return satisfied(where, f"{zh}在平台上有效。", f"{en} is valid on the platform.")


def _export_current(facts: Facts) -> Iterator[Found]:
    """SSE-2.2d: an old query says little of today's gateways."""
    day = facts.records.platform.export.exported_on if facts.records.platform else None
    if day is None:
        return
    where = (*_EXPORT, "exported_on")
    if facts.is_stale(day):
        yield violated(
            where,
            f"平台查询结果导出于 {day}，已超过复核周期。",
            f"The platform's query was exported on {day}, too long ago.",
            Title(zh="重新导出。", en="Export it again."),
        )
    else:
        yield satisfied(where, f"平台查询结果导出于 {day}。", f"The platform's query was exported on {day}.")


_GATEWAY = Title(zh="上交所网关", en="SSE gateway")
_ACCOUNT = Title(zh="市场技术服务平台账号", en="account on the market technology platform")
_CERTIFICATE = Title(zh="可与平台核对的数字证书", en="certificate to compare with the platform")
_KEPT = Title(zh="登记的平台查询结果", en="query of the platform on record")

RULES = (
    Rule("platform-admins", "SSE-1", Severity.ERROR, _GATEWAY, _admins),
    Rule("platform-operators", "SSE-1", Severity.ERROR, _GATEWAY, _operators),
    Rule("platform-vpn", "SSE-1", Severity.ERROR, _ACCOUNT, _vpn),
    Rule("platform-phone", "SSE-1", Severity.WARNING, _ACCOUNT, _phones),
    Rule("platform-gateways", "SSE-2.2d", Severity.ERROR, _GATEWAY, _on_file),
    Rule("platform-certificates", "SSE-2.2d", Severity.ERROR, _CERTIFICATE, _certificates_on_file),
    Rule("platform-export-current", "SSE-2.2d", Severity.WARNING, _KEPT, _export_current),
)

"""Edits of the example's records, platform export and day that an audit rule must find, or must decline to judge."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.records import Hosting, PlatformRole, PortKind, Software
from orchestrator.model.topology import GatewayClass
from orchestrator.rules.facts import Facts, Live
from tests.rules.facts import (
    account,
    also_exported,
    entry,
    exported,
    in_topology,
    installed,
    not_exported,
    part,
    recorded,
)

Edit = Callable[[Facts], Facts]

_OLD = date(2024, 10, 1)  # longer ago than the example's 24 months before its day
_DIFFERS = (Title(zh="未启用只读账号", en="no read-only account"),)
_HOSTED_BY_ONE = Hosting.model_construct(hosted=True, lines=("tel-futian",))

# Rule, edit, severity, where, and words that the finding must say.
VIOLATIONS: dict[str, tuple[str, Edit, Severity, str, str]] = {
    "a version that nobody approved": (
        "software-approved",
        lambda f: installed(f, "nq-trade-1", "5.1.9"),
        Severity.ERROR,
        "records.software.installed.nq-trade-1",
        "5.1.9 is none of those required now (5.2.1)",
    ),
    "a host that says another version than is declared": (
        "software-approved",
        lambda f: replace(f, live=Live({"nq-md-1": "3.9.9"})),
        Severity.ERROR,
        "records.software.installed.nq-md-1",
        "3.9.9",
    ),
    "a version whose last day is over": (
        "software-approved",
        lambda f: _approved(f, GatewayClass.SETTLEMENT, valid_to=date(2026, 11, 21)),
        Severity.ERROR,
        "records.software.installed.nq-ccnet-1",
        "required now (none)",
    ),
    "a version whose last day is near": (
        "software-upgrade-due",
        lambda f: _approved(f, GatewayClass.TRADING, valid_to=date(2026, 12, 31)),
        Severity.WARNING,
        "records.software.approved.trading-5.2.1",
        "2026-12-31",
    ),
    "a gateway that differs from its manual": (
        "installed-by-manual",
        lambda f: entry(f, "installations", "CCNET 结算网关用户手册（示例）", deviations=_DIFFERS),
        Severity.ERROR,
        "records.installations.nq-ccnet-1",
        "no read-only account",
    ),
    "a comparison with a manual of long ago": (
        "manual-compared-lately",
        lambda f: entry(f, "installations", "CCNET 结算网关用户手册（示例）", checked_on=_OLD),
        Severity.WARNING,
        "records.installations.nq-ccnet-1",
        "2024-10-01",
    ),
    "an interface specification that was replaced": (
        "interface-specifications",
        lambda f: entry(f, "specifications", "bse-trading", latest="1.31"),
        Severity.ERROR,
        "records.specifications.bse-trading",
        "1.31 is in force",
    ),
    "a specification that nobody looked up": (
        "specifications-looked-up",
        lambda f: entry(f, "specifications", "chinaclear-files", looked_up_on=_OLD),
        Severity.WARNING,
        "records.specifications.chinaclear-files",
        "2024-10-01",
    ),
    "a network that differs from the access plan": (
        "access-plan",
        lambda f: part(f, "access_plan", deviations=_DIFFERS),
        Severity.ERROR,
        "records.access_plan",
        "no read-only account",
    ),
    "a comparison with the access plan of long ago": (
        "access-plan-compared-lately",
        lambda f: part(f, "access_plan", checked_on=_OLD),
        Severity.WARNING,
        "records.access_plan.checked_on",
        "2024-10-01",
    ),
    "a port that was found switched": (
        "routed-port",
        lambda f: entry(f, "lines", "tel-southern", port=PortKind.SWITCHED),
        Severity.ERROR,
        "lines.tel-southern.routed_port",
        "layer 2",
    ),
    "a line that is used to eighty percent": (
        "peak-use",
        lambda f: entry(f, "lines", "tel-futian", peak_mbps=8.0),
        Severity.WARNING,
        "lines.tel-futian.bandwidth_mbps",
        "80%",
    ),
    "one line into the hosting network": (
        "hosting-lines",
        lambda f: recorded(f, hosting=_HOSTED_BY_ONE),
        Severity.ERROR,
        "records.hosting",
        "tel-futian",
    ),
    "an expired radio licence": (
        "radio-licence",
        lambda f: entry(f, "radio_licences", "sat-receive", valid_to=date(2026, 11, 21)),
        Severity.ERROR,
        "records.radio_licences.sat-receive",
        "expired on 2026-11-21",
    ),
    "a radio licence that was never filed": (
        "radio-licence",
        lambda f: entry(f, "radio_licences", "sat-two-way", filed_on=None),
        Severity.ERROR,
        "records.radio_licences.sat-two-way",
        "has not been filed",
    ),
    "a radio licence that ends soon": (
        "radio-licence-due",
        lambda f: entry(f, "radio_licences", "sat-two-way", valid_to=date(2027, 1, 21)),
        Severity.WARNING,
        "records.radio_licences.sat-two-way.valid_to",
        "2027-01-21",
    ),
    "a test without a reason for staying away": (
        "tests-taken-part",
        lambda f: entry(f, "announced_tests", "sscc-2026-01", reason=None),
        Severity.WARNING,
        "records.announced_tests.sscc-2026-01",
        "neither taking part nor a reason",
    ),
    "a network that is joined to the Internet": (
        "isolation",
        lambda f: part(f, "isolation", joins_public_network=True),
        Severity.ERROR,
        "records.isolation.joins_public_network",
        "Internet",
    ),
    "a network that nothing keeps apart": (
        "isolation",
        lambda f: part(f, "isolation", separated_by=None),
        Severity.ERROR,
        "records.isolation.separated_by",
        "Nothing keeps",
    ),
    "a statement on isolation of long ago": (
        "isolation-stated-lately",
        lambda f: part(f, "isolation", stated_on=_OLD),
        Severity.WARNING,
        "records.isolation.stated_on",
        "2024-10-01",
    ),
    "logs that are kept eleven months": (
        "log-archive",
        lambda f: entry(f, "log_archives", "log-server", kept_months=11),
        Severity.ERROR,
        "records.log_archives.ce-a",
        "less than a year",
    ),
    "a device whose logs are nowhere": (
        "log-archive",
        lambda f: entry(f, "log_archives", "log-server", devices=_but(f, "log_archives", "gw-b4")),
        Severity.ERROR,
        "records.log_archives.gw-b4",
        "in no archive",
    ),
    "a device outside every assessment": (
        "assessment",
        lambda f: entry(f, "assessments", "trading-access", devices=_but(f, "assessments", "ce-b")),
        Severity.ERROR,
        "records.assessments.ce-b",
        "in no classified-protection assessment",
    ),
    "an assessment that is overdue": (
        "assessment",
        lambda f: entry(f, "assessments", "trading-access", assessed_on=date(2024, 11, 21)),
        Severity.ERROR,
        "records.assessments.gw-a1",
        "to be repeated by 2026-11-21",
    ),
    "an assessment that is due soon": (
        "assessment-due",
        lambda f: entry(f, "assessments", "trading-access", assessed_on=date(2024, 11, 22)),
        Severity.WARNING,
        "records.assessments.trading-access",
        "2026-11-22",
    ),
    "four admins": (
        "platform-admins",
        lambda f: _admins(f, "zhang", "li", "wang", "chen"),
        Severity.ERROR,
        "records.platform.accounts",
        "4 admins",
    ),
    "no admin": (
        "platform-admins",
        lambda f: account(
            account(f, "zhang", roles=(PlatformRole.OTHER,)), "wang", roles=(PlatformRole.GATEWAY_OPERATOR,)
        ),
        Severity.ERROR,
        "records.platform.accounts",
        "0 admins",
    ),
    "an operator without the platform's role": (
        "platform-operators",
        lambda f: account(f, "li", roles=(PlatformRole.OTHER,)),
        Severity.ERROR,
        "records.platform.accounts",
        "li",
    ),
    "a person without a VPN account": (
        "platform-vpn",
        lambda f: account(f, "wang", vpn=False),
        Severity.ERROR,
        "records.platform.accounts.wang",
        "no VPN account",
    ),
    "a phone that nobody has looked at for years": (
        "platform-phone",
        lambda f: account(f, "zhang", phone_checked_on=_OLD),
        Severity.WARNING,
        "records.platform.accounts.zhang.phone_checked_on",
        "2024-10-01",
    ),
    "a gateway that the platform does not know": (
        "platform-gateways",
        lambda f: not_exported(f, "T50011"),
        Severity.ERROR,
        "gateways.sse-td-2.number",
        "not in the platform's query",
    ),
    "a gateway that only the platform knows": (
        "platform-gateways",
        lambda f: also_exported(f, "T50099", "x"),
        Severity.ERROR,
        "platform.T50099",
        "not in the inventory",
    ),
    "a gateway of another class on the platform": (
        "platform-gateways",
        lambda f: exported(f, "sse-md-1-ekey", gateway_class=GatewayClass.TDGW),
        Severity.ERROR,
        "gateways.sse-md-1.number",
        "tdgw",
    ),
    "a certificate that the platform does not know": (
        "platform-certificates",
        lambda f: exported(f, "sse-td-1-file", certificate=None),
        Severity.ERROR,
        "certificates.sse-td-1-file",
        "not in the platform's query",
    ),
    "a certificate that only the platform knows": (
        "platform-certificates",
        lambda f: also_exported(f, "M60010", "another"),
        Severity.ERROR,
        "gateways.sse-md-1.certificates",
        "another",
    ),
    "a certificate that was revoked": (
        "platform-certificates",
        lambda f: exported(f, "sse-td-2-ekey", is_valid=False, is_revoked=True, state="已注销"),
        Severity.ERROR,
        "certificates.sse-td-2-ekey",
        "已注销",
    ),
    "a certificate that expired by the platform": (
        "platform-certificates",
        lambda f: exported(f, "sse-td-2-ekey", valid_to=date(2026, 11, 21)),
        Severity.ERROR,
        "certificates.sse-td-2-ekey",
        "2026-11-21",
    ),
    "a query of the platform of long ago": (
        "platform-export-current",
        lambda f: _query(f, exported_on=_OLD),
        Severity.WARNING,
        "records.platform.export.exported_on",
        "2024-10-01",
    ),
    "a certificate in use that failed its test": (
        "certificate-tested",
        lambda f: entry(f, "certificate_tests", "sse-td-1-ekey", passed=False),
        Severity.ERROR,
        "records.certificate_tests.sse-td-1-ekey",
        "sse-td-1 uses it",
    ),
    "an expired certificate": (
        "certificate-valid",
        lambda f: in_topology(f, "certificates", "sse-td-1-ekey", valid_to=date(2026, 11, 21)),
        Severity.ERROR,
        "certificates.sse-td-1-ekey.valid_to",
        "2026-11-21",
    ),
    "a certificate that ends soon": (
        "certificate-ends-soon",
        lambda f: in_topology(f, "certificates", "sse-td-1-file", valid_to=date(2026, 11, 22)),
        Severity.WARNING,
        "certificates.sse-td-1-file.valid_to",
        "2026-11-22",
    ),
}

# Rule and edit.
NOT_JUDGED: dict[str, tuple[str, Edit]] = {
    "no version is entered": ("software-approved", lambda f: recorded(f, software=Software())),
    "no approved version is entered": (
        "software-approved",
        lambda f: recorded(f, software=f.records.software.model_copy(update={"approved": ()})),
    ),
    "no comparison with a manual": ("installed-by-manual", lambda f: recorded(f, installations=())),
    "no specification of China Clear": (
        "interface-specifications",
        lambda f: recorded(f, specifications=f.records.specifications[:2]),
    ),
    "no comparison with the access plan": ("access-plan", lambda f: recorded(f, access_plan=None)),
    "a port that nobody looked at": ("routed-port", lambda f: recorded(f, lines=f.records.lines[1:])),
    "no peak is entered": ("peak-use", lambda f: entry(f, "lines", "tel-futian", peak_mbps=None)),
    "hosting is not said": ("hosting-lines", lambda f: recorded(f, hosting=None)),
    "no licence is entered": ("radio-licence", lambda f: recorded(f, radio_licences=())),
    "no test is entered": ("tests-taken-part", lambda f: recorded(f, announced_tests=())),
    "isolation is not stated": ("isolation", lambda f: recorded(f, isolation=None)),
    "no archive of logs is entered": ("log-archive", lambda f: recorded(f, log_archives=())),
    "no assessment is entered": ("assessment", lambda f: recorded(f, assessments=())),
    "nobody has an account": ("platform-admins", lambda f: recorded(f, platform=None)),
    "nobody operates gateways on the platform": ("platform-operators", lambda f: recorded(f, platform=None)),
    "a phone that nobody ever looked at": ("platform-phone", lambda f: account(f, "li", phone_checked_on=None)),
    "the platform was not asked": ("platform-gateways", lambda f: replace(f, platform=None)),
    "a state of which nobody knows what it means": (
        "platform-certificates",
        lambda f: exported(f, "sse-td-1-file", is_valid=False, state="冻结"),
    ),
    "no test of a certificate": (
        "certificate-tested",
        lambda f: recorded(f, certificate_tests=f.records.certificate_tests[1:]),
    ),
}


def _approved(facts: Facts, gateway_class: GatewayClass, **fields: object) -> Facts:
    software = facts.records.software
    items = tuple(
        item.model_copy(update=fields) if item.gateway_class is gateway_class else item for item in software.approved
    )
    return recorded(facts, software=software.model_copy(update={"approved": items}))


def _but(facts: Facts, kind: str, device: str) -> tuple[str, ...]:
    return tuple(name for name in getattr(facts.records, kind)[0].devices if name != device)


def _admins(facts: Facts, *people: str) -> Facts:
    platform = facts.records.platform
    assert platform is not None
    roles = (PlatformRole.ADMIN, PlatformRole.GATEWAY_OPERATOR)
    one = platform.accounts[0]
    return part(
        facts,
        "platform",
        accounts=tuple(one.model_copy(update={"person": name, "roles": roles}) for name in people),
    )


def _query(facts: Facts, **fields: object) -> Facts:
    platform = facts.records.platform
    assert platform is not None
    return part(facts, "platform", export=platform.export.model_copy(update=fields))

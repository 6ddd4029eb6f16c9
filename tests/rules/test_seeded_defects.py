"""A site with many things wrong at once: each is found by its own rule, and nothing else is reported."""

from collections.abc import Callable
from datetime import date

from orchestrator.model.audit import Result
from orchestrator.model.base import Title
from orchestrator.model.records import PlatformRole, PortKind
from orchestrator.rules.facts import Facts
from orchestrator.rules.rulebook import audit
from tests.rules.facts import (
    EXAMPLE,
    account,
    also_exported,
    entry,
    exported,
    in_topology,
    installed,
    part,
)

_OLD = date(2024, 10, 1)
_DEVICES = EXAMPLE.records.log_archives[0].devices
_DIFFERS = (Title(zh="端口未启用认证", en="no authentication"),)

# What is done to the example, and what the audit has to say of it: rule and where.
DEFECTS: list[tuple[Callable[[Facts], Facts], str, str]] = [
    (
        lambda f: in_topology(f, "gateways", "nq-md-1", servers=("futian-market",)),
        "both-centres-listed",
        "gateways.nq-md-1.servers",
    ),
    (
        lambda f: in_topology(f, "gateways", "nq-trade-3", servers=("southern-trading", "futian-trading")),
        "server-order",
        "gateways.nq-trade-3.servers",
    ),
    (lambda f: in_topology(f, "gateways", "nq-md-1", enabled=False), "tcp-market-data-primary", "gateways"),
    (
        lambda f: in_topology(f, "gateways", "nq-mc-1", servers=("futian-multicast", "southern-multicast")),
        "one-way-satellite",
        "lines.sat-receive",
    ),
    (
        lambda f: in_topology(f, "gateways", "nq-trade-2", number="W100301"),
        "one-login-per-number",
        "gateways.nq-trade-4.number",
    ),
    (
        lambda f: in_topology(f, "routers", "ce-b", paths={"futian": ("tel-futian",), "southern": ("tel-southern",)}),
        "carrier-may-fail",
        "routers.ce-b.paths",
    ),
    (
        lambda f: in_topology(f, "lines", "tel-southern", bandwidth_mbps=1.9),
        "bandwidth",
        "lines.tel-southern.bandwidth_mbps",
    ),
    (
        lambda f: entry(f, "lines", "uni-futian", port=PortKind.SWITCHED),
        "routed-port",
        "lines.uni-futian.routed_port",
    ),
    (
        lambda f: in_topology(f, "lines", "uni-futian", value_added_network=False),
        "dr-lines",
        "lines.uni-futian.carries",
    ),
    (lambda f: in_topology(f, "fronts", "beijing-market", port=7043), "dr-endpoints", "fronts.beijing-market"),
    (lambda f: in_topology(f, "gateways", "sse-td-2", host="gw-a4"), "tdgw-pair-rooms", "gateways.sse-td-1.host"),
    (
        lambda f: in_topology(f, "gateways", "sse-md-2", certificate="sse-md-1-file"),
        "certificate-once",
        "gateways.sse-md-2.certificate",
    ),
    (
        lambda f: in_topology(f, "certificates", "sse-md-2-ekey", valid_to=date(2026, 3, 1)),
        "certificate-valid",
        "certificates.sse-md-2-ekey.valid_to",
    ),
    (
        lambda f: in_topology(f, "certificates", "sse-md-1-ekey", valid_to=date(2026, 12, 1)),
        "certificate-ends-soon",
        "certificates.sse-md-1-ekey.valid_to",
    ),
    (lambda f: installed(f, "nq-mc-2", "4.0.1"), "software-approved", "records.software.installed.nq-mc-2"),
    (
        lambda f: entry(f, "installations", "CCNET 结算网关用户手册（示例）", deviations=_DIFFERS),
        "installed-by-manual",
        "records.installations.nq-ccnet-1",
    ),
    (
        lambda f: entry(f, "specifications", "neeq-trading", in_use="1.71"),
        "interface-specifications",
        "records.specifications.neeq-trading",
    ),
    (
        lambda f: part(f, "access_plan", checked_on=_OLD),
        "access-plan-compared-lately",
        "records.access_plan.checked_on",
    ),
    (lambda f: entry(f, "lines", "tel-futian", peak_mbps=9.5), "peak-use", "lines.tel-futian.bandwidth_mbps"),
    (
        lambda f: entry(f, "radio_licences", "sat-two-way", filed_on=None),
        "radio-licence",
        "records.radio_licences.sat-two-way",
    ),
    (
        lambda f: entry(f, "announced_tests", "sscc-2025-11", took_part=None),
        "tests-taken-part",
        "records.announced_tests.sscc-2025-11",
    ),
    (
        lambda f: part(f, "isolation", joins_public_network=True),
        "isolation",
        "records.isolation.joins_public_network",
    ),
    (
        lambda f: entry(f, "log_archives", "log-server", devices=tuple(n for n in _DEVICES if n != "gw-a2")),
        "log-archive",
        "records.log_archives.gw-a2",
    ),
    (
        lambda f: entry(f, "assessments", "trading-access", devices=tuple(n for n in _DEVICES if n != "gw-b3")),
        "assessment",
        "records.assessments.gw-b3",
    ),
    (lambda f: account(f, "li", roles=(PlatformRole.ADMIN,)), "platform-operators", "records.platform.accounts"),
    (lambda f: account(f, "zhang", vpn=False), "platform-vpn", "records.platform.accounts.zhang"),
    (lambda f: also_exported(f, "T50042", "y"), "platform-gateways", "platform.T50042"),
    (
        lambda f: exported(f, "sse-td-1-file", is_valid=False, is_revoked=True, state="已注销"),
        "platform-certificates",
        "certificates.sse-td-1-file",
    ),
    (
        lambda f: entry(f, "certificate_tests", "sse-td-1-ekey", passed=False),
        "certificate-tested",
        "records.certificate_tests.sse-td-1-ekey",
    ),
]

# What is said of both gateways that one defect is about.
ALSO = {
    ("tdgw-pair-rooms", "gateways.sse-td-2.host"),
    ("installed-by-manual", "records.installations.nq-ccnet-2"),
}


def violated(facts: Facts) -> set[tuple[str, str]]:
    return {(item.rule, item.where) for item in audit(facts) if item.result is Result.VIOLATED}


def test_every_seeded_defect_is_found_and_nothing_else() -> None:
    broken = EXAMPLE
    for edit, _, _ in DEFECTS:
        broken = edit(broken)
    expected = {(rule, where) for _, rule, where in DEFECTS}
    assert len(expected) == len(DEFECTS) >= 25
    assert violated(EXAMPLE) == set()
    assert violated(broken) == expected | ALSO


def test_each_of_them_alone_is_found_too() -> None:
    for edit, rule, where in DEFECTS:
        assert (rule, where) in violated(edit(EXAMPLE)), (rule, where)

"""Rules over the certificates of Shanghai gateways: tested before use, and valid on the day."""

from collections.abc import Iterator

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.topology import Certificate, Gateway
from orchestrator.rules.facts import Facts
from orchestrator.rules.rule import Found, Rule, not_judged, satisfied, violated
from orchestrator.rules.select import SSE_CLASSES, gateways


def _held(facts: Facts) -> Iterator[tuple[Certificate, Gateway]]:
    """Every certificate of an SSE gateway, with the first gateway that has it."""
    known = {item.id: item for item in facts.topology.certificates}
    seen: set[str] = set()
    for gateway in gateways(facts.topology, SSE_CLASSES):
        for name in gateway.certificates:
            if name in known and name not in seen:
                seen.add(name)
                yield known[name], gateway


def _tested(facts: Facts) -> Iterator[Found]:
    """SSE-4.5: used only after its test passed. The firm's own record tells; testing happens offline (线下)."""
    for certificate, gateway in _held(facts):
        where = ("records", "certificate_tests", certificate.id)
        tests = [item for item in facts.records.certificate_tests if item.certificate == certificate.id]
        last = max(tests, key=lambda item: item.tested_on, default=None)
        if last is None:
            yield not_judged(
                where,
                f"数字证书 {certificate.id} 没有测试记录。",
                f"Certificate {certificate.id}: no test is on record.",
                Title(zh="测试通过后在 certificate_tests 中登记。", en="Test it, and enter it in `certificate_tests`."),
            )
        elif last.passed:
            yield satisfied(
                where,
                f"数字证书 {certificate.id} 于 {last.tested_on} 测试通过（{last.by}）。",
                f"Certificate {certificate.id} passed its test on {last.tested_on} ({last.by}).",
            )
        else:
            yield _failed(where, certificate, gateway)


def _failed(where: tuple[str, ...], certificate: Certificate, gateway: Gateway) -> Found:
    if gateway.certificate == certificate.id:
        return violated(
            where,
            f"数字证书 {certificate.id} 测试未通过，但由 {gateway.id} 使用。",
            f"Certificate {certificate.id} failed its test, but {gateway.id} uses it.",
            Title(zh="停用该证书，联系上交所 CA 中心。", en="Use another one, and call the CA centre."),
        )
    return satisfied(
        where,
        f"数字证书 {certificate.id} 测试未通过，也未使用。",
        f"Certificate {certificate.id} failed its test and is not in use.",
        Title(zh="联系上交所 CA 中心，通过前不得使用。", en="Call the CA centre; it may not be used before it passes."),
    )


def _valid(facts: Facts) -> Iterator[Found]:
    """SSE-4.5, SSE-5.3: what has expired logs in nowhere; one that is not in use is no backup either."""
    for certificate, gateway in _held(facts):
        where = ("certificates", certificate.id, "valid_to")
        if certificate.valid_from <= facts.today <= certificate.valid_to:
            yield satisfied(
                where,
                f"数字证书 {certificate.id} 有效至 {certificate.valid_to}。",
                f"Certificate {certificate.id} is valid to {certificate.valid_to}.",
            )
        else:
            yield violated(
                where,
                f"{gateway.id} 的数字证书 {certificate.id} 不在有效期内"
                f"（{certificate.valid_from} 至 {certificate.valid_to}）。",
                f"Certificate {certificate.id} of {gateway.id} is not valid today "
                f"({certificate.valid_from} to {certificate.valid_to}).",
                Title(zh="补办或更换数字证书。", en="Have it reissued, or change it."),
            )


def _expires(facts: Facts) -> Iterator[Found]:
    """SSE-5.3: a reissue takes its time, and an EKey has to travel."""
    for certificate, gateway in _held(facts):
        where = ("certificates", certificate.id, "valid_to")
        if facts.ends_soon(certificate.valid_to):
            yield violated(
                where,
                f"{gateway.id} 的数字证书 {certificate.id} 将于 {certificate.valid_to} 到期。",
                f"Certificate {certificate.id} of {gateway.id} ends on {certificate.valid_to}.",
                Title(zh="办理补办。", en="Have it reissued."),
            )
        elif certificate.valid_to >= facts.today:
            yield satisfied(
                where,
                f"数字证书 {certificate.id} 近期不到期。",
                f"Certificate {certificate.id} does not end soon.",
            )


_CERTIFICATE = Title(zh="上交所网关的数字证书", en="certificate of an SSE gateway")

RULES = (
    Rule("certificate-tested", "SSE-4.5", Severity.ERROR, _CERTIFICATE, _tested),
    Rule("certificate-valid", "SSE-5.3", Severity.ERROR, _CERTIFICATE, _valid),
    Rule("certificate-ends-soon", "SSE-5.3", Severity.WARNING, _CERTIFICATE, _expires),
)

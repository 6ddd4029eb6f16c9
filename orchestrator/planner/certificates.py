"""A certificate that cannot be used: its gateway goes on with another one of its own that is on its host. Pure.

SSE-2.2c, SSE-5.3: only with one of the same gateway, valid, tested (SSE-4.5) and there; nobody else may use it, so
nothing is shared. SSE-5.2: each start with an EKey may spend a PIN attempt, so a run starts an EKey once at most: on
the way there or on the way back, and never in place of the person who holds it.
"""

from collections.abc import Iterator, Sequence

from orchestrator.errors import DefinitionError, Refused
from orchestrator.model.base import Title
from orchestrator.model.drill import CertificateCause, Drill, Gate, ManualStep, Mode, Response
from orchestrator.model.plan import Action, Fault, GatewayChange, Placement
from orchestrator.model.topology import Certificate, CertificateKind, Gateway, Topology
from orchestrator.planner.question import Question
from orchestrator.planner.standby import certificate_left

Missing = tuple[str, str]  # code and sentence of a refusal

_CAUSES = {
    CertificateCause.EKEY_LOCKED: Title(zh="EKey 已锁定", en="its EKey is locked"),
    CertificateCause.EXPIRED: Title(zh="已失效", en="it has expired"),
    CertificateCause.LOST: Title(zh="已丢失", en="it is lost"),
    CertificateCause.DAMAGED: Title(zh="已损毁", en="it is damaged"),
    CertificateCause.REISSUE: Title(zh="已补办，原证书注销", en="it is issued again, which revokes it"),
}
_UNLOCK = Title(
    zh="按证书机构解锁流程解锁 EKey（解锁不是补办，原证书不变）",
    en="unlock the EKey by the CA's own procedure (it is not issued again: the certificate stays)",
)
_REISSUE = Title(
    zh="向证书机构申请补办（补办后原证书注销），新证书测试通过后方可使用",
    en="ask the CA to issue it again (which revokes the old one); the new one is used only after its test has passed",
)


def resolved(topology: Topology, drill: Drill, parameters: dict[str, str], fault: Fault) -> Fault:
    """The fault with its certificates and why they cannot be used. Refused CAUSE_NOT_POSSIBLE: it makes no sense."""
    names = tuple(_value(name, parameters) for name in drill.fault.certificates)
    if not names:
        return fault
    known = {item.id: item for item in topology.certificates}
    unknown = next((name for name in names if name not in known), None)
    if unknown or drill.fault.cause is None:
        expected = f"one of {', '.join(sorted(known))}" if unknown else "a cause beside certificates"
        where = "certificates" if unknown else "cause"
        raise DefinitionError(f"drill {drill.drill}: fault.{where}: expected {expected}, found {unknown or 'none'!r}")
    cause = CertificateCause(_value(str(drill.fault.cause), parameters))
    for name in names:
        if cause is CertificateCause.EKEY_LOCKED and known[name].kind is CertificateKind.FILE:
            raise Refused(
                "CAUSE_NOT_POSSIBLE",
                f"certificate {name}: expected an EKey for cause ekey_locked, found a file certificate, which never "
                "locks (SSE-5.2); use expired, lost, damaged or reissue",
            )
    return fault.model_copy(update={"certificates": names, "cause": cause})


def _value(reference: str, parameters: dict[str, str]) -> str:
    return parameters[reference[1:]] if reference.startswith("$") else reference


def other_certificate(question: Question, gateway: Gateway) -> Certificate | Missing:
    """The certificate that it goes on with, or why there is none."""
    left = certificate_left(question, gateway)
    name = f"gateway {gateway.id} ({gateway.number})"
    if question.response is Response.OBSERVE:
        return "NO_CERTIFICATE", f"{name}: under --response observe its certificate is not changed; use repoint"
    if left is None:
        return "NO_CERTIFICATE", f"{name} has no other certificate that may be used: {_wrong_with(question, gateway)}"
    if question.topology.profiles[gateway.profile].config.certificate is None:
        return (
            "CERTIFICATE_PLACE_UNKNOWN",
            (
                f"{name}: expected profile {gateway.profile} to say how its file names the certificate in use "
                "(config.certificate), found nothing; ask the vendor and enter it"
            ),
        )
    return next(item for item in question.topology.certificates if item.id == left)


def _wrong_with(question: Question, gateway: Gateway) -> str:
    """Each certificate of the gateway, with what keeps it from being used."""
    by_id = {item.id: item for item in question.topology.certificates}
    return ", ".join(f"{name} {_wrong(question, gateway, by_id[name])}" for name in gateway.certificates)


def _wrong(question: Question, gateway: Gateway, item: Certificate) -> str:
    if item.id in question.certificates:
        return f"fails ({question.fault.cause})" if question.fault.cause else "fails"
    if not item.valid_from <= question.today <= item.valid_to:
        return f"is valid {item.valid_from} to {item.valid_to}, not on {question.today}"
    if item.tested_on is None:
        return "was never tested (SSE-4.5)"
    return f"is on {item.host}, not on {gateway.host}"


def with_certificate(question: Question, change: GatewayChange, used: str | None, other: Certificate) -> GatewayChange:
    """The entry of a gateway that goes on with another certificate where it would otherwise stay."""
    place = change.after or change.before
    after = Placement(**{**(place.model_dump() if place else {}), "certificate": other.id})
    cause = _CAUSES[question.fault.cause] if question.fault.cause else Title(zh="不可用", en="it cannot be used")
    reason = Title(
        zh=f"数字证书 {used} {cause.zh}，改用本网关另一数字证书 {other.id}",
        en=f"certificate {used}: {cause.en}; it goes on with {other.id} of its own",
    )
    return change.model_copy(update={"action": Action.CERTIFICATE, "after": after, "reason": reason})


def stands_in(question: Question, changes: tuple[GatewayChange, ...]) -> tuple[GatewayChange, ...]:
    """Entries of standbys that go on because no certificate is left, not because of the host."""
    cause = _CAUSES[question.fault.cause] if question.fault.cause else Title(zh="不可用", en="it cannot be used")
    names = ", ".join(question.certificates)
    reason = Title(
        zh=f"数字证书 {names} {cause.zh}，本网关无其他可用证书，由备用网关 {changes[0].standby} 承接",
        en=f"certificate {names}: {cause.en}, and it has no other; its standby {changes[0].standby} goes on",
    )
    return tuple(change.model_copy(update={"reason": reason}) for change in changes)


def refuse_second_start(topology: Topology, mode: Mode, changes: Sequence[GatewayChange]) -> None:
    """Refused EKEY_START_LIMIT where a run would start an EKey on the way there and one on the way back."""
    by_id = {item.id: item for item in topology.certificates}
    for change in changes:
        if change.action is not Action.CERTIFICATE or mode is Mode.INCIDENT:
            continue
        places = [place.certificate for place in (change.before, change.after) if place and place.certificate]
        keys = [name for name in places if by_id[name].kind is CertificateKind.EKEY]
        if len(keys) > 1:
            raise Refused(
                "EKEY_START_LIMIT",
                f"gateway {change.gateway}: from EKey {keys[0]} to EKey {keys[1]} and back starts an EKey twice, and "
                "each start may spend a PIN attempt (one start per run, SSE-5.2); have a file certificate tested",
            )


def attended(topology: Topology, drill: Drill, mode: Mode, changes: Sequence[GatewayChange], fault: Fault) -> Drill:
    """The drill with what people do about the certificate: an EKey is started by nobody but in their presence."""
    added = [
        step for change in changes if change.action is Action.CERTIFICATE for step in _manual(topology, change, fault)
    ]
    owned = [step for step in added if mode in step.modes]
    return drill.model_copy(update={"manual": (*drill.manual, *owned)}) if owned else drill


def _manual(topology: Topology, change: GatewayChange, fault: Fault) -> Iterator[ManualStep]:
    by_id = {item.id: item for item in topology.certificates}
    before, after = (by_id[str(place.certificate)] for place in (change.before, change.after) if place)
    if after.kind is CertificateKind.EKEY:
        yield _at_the_host(change, after, Gate.SWITCHING, (Mode.DRILL, Mode.INCIDENT))
    if before.kind is CertificateKind.EKEY:
        yield _at_the_host(change, before, Gate.RESTORING, (Mode.DRILL,))
    cure = _UNLOCK if fault.cause is CertificateCause.EKEY_LOCKED else _REISSUE
    yield ManualStep(
        id=f"cure-{before.id}"[:48].rstrip("-"),
        title=Title(zh=f"处理数字证书 {before.id}", en=f"see to certificate {before.id}"),
        owner="operator",
        after=Gate.SWITCHING,
        expected=Title(zh=f"已{cure.zh}", en=cure.en),
        modes=(Mode.INCIDENT,),
    )


def _at_the_host(change: GatewayChange, key: Certificate, gate: Gate, modes: tuple[Mode, ...]) -> ManualStep:
    return ManualStep(
        id=f"attend-{key.id}"[:48].rstrip("-"),
        title=Title(zh=f"EKey {key.id} 持有人到场", en=f"the holder of EKey {key.id} attends its start"),
        owner="operator",
        before=gate,
        expected=Title(
            zh=f"EKey {key.id} 已插在主机 {change.host} 且可用，启动 {change.number} 时由持有人本人输入 PIN 码",
            en=f"EKey {key.id} is in host {change.host} and usable; its holder enters the PIN at the start",
        ),
        due_d=1,
        modes=modes,
    )


def notes(topology: Topology, fault: Fault) -> Iterator[Title]:
    """What to do about the certificate itself, and whom to call."""
    if not fault.certificates:
        return
    cure = _UNLOCK if fault.cause is CertificateCause.EKEY_LOCKED else _REISSUE
    yield Title(
        zh=f"{cure.zh}；本系统不输入 PIN 码，首次认证失败即停止，不重试",
        en=f"{cure.en}; no PIN is entered here, and the first refusal of a log-in is the last",
    )
    for contact in (item for item in topology.people.contacts if item.source == "SSE-5.1"):
        yield Title(
            zh=f"证书机构服务热线：{'、'.join(contact.phones)}", en=f"the CA's hotline: {', '.join(contact.phones)}"
        )

"""SSCC-2.5 in evidence: for each move of a gateway number, the old login proved gone before the new one."""

from dataclasses import dataclass
from itertools import pairwise

from orchestrator.model.record import InterlockProof
from orchestrator.report.context import Context
from orchestrator.report.tones import Tone


@dataclass(frozen=True)
class ProofRow:
    number: str
    certificate: str
    host: str
    step: str
    stop: str
    process_gone: str
    sockets_gone: str
    released_by: str
    waited: str
    start: str
    login: str
    order: str
    tone: Tone


def proof_rows(context: Context) -> tuple[ProofRow, ...]:
    ordered = sorted(context.record.interlocks, key=lambda proof: (proof.stop_at, proof.gateway))
    return tuple(_row(context, proof) for proof in ordered)


def order_holds(proof: InterlockProof) -> bool | None:
    """Stopped, process and session gone, number released, only then started. None: a link of the chain was not seen.

    Which of process and session went first says nothing, so both are compared with the stop and the start.
    """
    gone = (proof.proved_at,) if proof.way else (proof.process_gone_at, proof.sockets_gone_at)
    if any(at is not None and at < proof.stop_at for at in gone):
        return False
    if proof.start_at is not None and any(at is not None and proof.start_at < at for at in gone):
        return False
    later = [at for at in (proof.start_at, proof.login_at) if at is not None]
    if any(second < first for first, second in pairwise([proof.stop_at, *later])):
        return False
    if None in gone or proof.released_by is None:
        return None
    return True


def _fenced(context: Context, proof: InterlockProof) -> str:
    """Where a fence stands for the process: how it was made."""
    return context.texts(f"fence_way.{proof.way}") if proof.way and proof.process_gone_at is None else ""


def _proved(context: Context, proof: InterlockProof) -> str:
    """Where a fence stands for the sockets: when it was proved."""
    if not proof.way or proof.sockets_gone_at is not None:
        return ""
    return context.moments.stamp(proof.proved_at) if proof.proved_at else context.texts("released.unproved")


def _certificate(context: Context, proof: InterlockProof) -> str:
    known = context.topology.gateway.get(proof.gateway)
    if known is not None and known.receives_only:
        return context.texts("certificate.receives_only")
    return context.certificate(proof.certificate) if proof.certificate else context.texts("certificate.none")


def _row(context: Context, proof: InterlockProof) -> ProofRow:
    texts, moments = context.texts, context.moments
    order, tone = _order(context, proof)
    titles = {step.id: texts.of(step.title) for step in context.record.plan.steps}
    return ProofRow(
        number=proof.number,
        certificate=_certificate(context, proof),
        host=f"{proof.host} → {proof.target_host}" if proof.target_host else proof.host,
        step=titles.get(proof.step, proof.step),
        stop=moments.stamp(proof.stop_at),
        process_gone=_fenced(context, proof) or moments.stamp(proof.process_gone_at),
        sockets_gone=_proved(context, proof) or moments.stamp(proof.sockets_gone_at),
        released_by=texts(f"released.{proof.released_by}") if proof.released_by else texts("released.unproved"),
        waited=moments.seconds(proof.waited_s),
        start=texts("value.not_started") if proof.start_at is None else moments.stamp(proof.start_at),
        login=moments.stamp(proof.login_at),
        order=order,
        tone=tone,
    )


def _order(context: Context, proof: InterlockProof) -> tuple[str, Tone]:
    holds = order_holds(proof)
    if holds is None:
        return context.texts("order.unproved"), "unknown"
    return (context.texts("order.holds"), "good") if holds else (context.texts("order.broken"), "bad")

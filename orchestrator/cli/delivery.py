"""Sends the ledger's head elsewhere, and says on the ledger who took it."""

from collections.abc import Iterator, Sequence

from orchestrator.adapters.anchors import Result, Sent, lay_out, send
from orchestrator.adapters.clock import SystemClock
from orchestrator.evidence.anchor import Package, is_silent, package
from orchestrator.evidence.ledger import Ledger
from orchestrator.model.evidence import Anchor, LedgerHead, LedgerKind

OUTBOX = "outbox"


def deliver(ledger: Ledger, anchors: Sequence[Anchor], *, offline: bool) -> tuple[LedgerHead, list[Sent]]:
    """Send the head as it is now to each of them, and say on the ledger which took it."""
    sealed = _head(ledger)
    results = list(_send(ledger, anchors, sealed, offline=offline))
    done = [item for item in results if item.result is Result.ANCHORED]
    data = {"seq": sealed.head.size, "digest": sealed.head.digest}
    ledger.append_all([(LedgerKind.ANCHORED, {"to": item.anchor, **data}) for item in done])
    return sealed.head, results


def _head(ledger: Ledger) -> Package:
    """The head that is sent. Where nothing happened since it was sent last, a line says so."""
    lines = ledger.lines()
    if is_silent(lines):
        ledger.append(LedgerKind.HEARTBEAT, {})
    return package(ledger.folder, ledger.publish())


def _send(ledger: Ledger, anchors: Sequence[Anchor], head: Package, *, offline: bool) -> Iterator[Sent]:
    """One after the other. A contradiction is no failure of the way: there is nothing to carry later."""
    now, lines = SystemClock().now(), ledger.lines()
    for item in anchors:
        if offline and item.kind != "directory":
            yield lay_out(item, head, ledger.folder.parent / OUTBOX, now)
            continue
        sent = send(item, head, lines, now)
        if sent.result in (Result.FAILED, Result.UNKNOWN):
            laid = lay_out(item, head, ledger.folder.parent / OUTBOX, now)
            sent = Sent(sent.anchor, sent.kind, sent.result, f"{sent.detail}; laid out in {laid.detail}")
        yield sent

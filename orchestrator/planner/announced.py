"""An exchange leads a test and cuts something off (SSCC-3.5): the firm changes nothing and measures. Pure."""

from orchestrator.errors import Refused
from orchestrator.model.announcement import Announced
from orchestrator.model.base import Title
from orchestrator.model.drill import Drill, Mode, Response
from orchestrator.model.plan import Fault
from orchestrator.model.topology import Topology
from orchestrator.planner.network import lines_lost


def announced_fault(topology: Topology, fault: Fault, announced: Announced | None) -> Fault:
    """What the observed phase cuts off; without an announcement the drill's own fault."""
    if announced is None:
        return fault
    cut = announced.observed.cut
    if cut is None:
        raise Refused("NO_CUT", f"expected a phase of kind cut, found {announced.phase}: nothing is cut off in it")
    centres, carriers, lines = (tuple(filter(None, [name])) for name in (cut.centre, cut.carrier, cut.line))
    return Fault(
        manner=cut.manner,
        centres=centres,
        carriers=carriers,
        lines=lines_lost(topology, centres, carriers, lines),
    )


def refuse_announced(drill: Drill, mode: Mode, response: Response, announced: Announced | None) -> None:
    """Refused by name where drill and announcement do not go together, or something would be changed."""
    if drill.fault.announced and announced is None:
        raise Refused("NO_ANNOUNCEMENT", f"{drill.drill}: expected --announcement FILE, found none")
    if announced is None:
        return
    if not drill.fault.announced:
        text = f"expected no announcement beside {drill.drill}, whose fault is its own, found one"
        raise Refused("ANNOUNCEMENT_NOT_FOR_THIS", f"{text}; use observe-only")
    if mode is Mode.INCIDENT:
        raise Refused("OBSERVE_ONLY", f"{drill.drill}: expected mode rehearsal or drill, found {mode}: it is a test")
    if response is not Response.OBSERVE:
        raise Refused(
            "OBSERVE_ONLY",
            f"expected --response observe for {drill.drill}, found {response}: in a test that the exchange leads the "
            "firm changes nothing of its own",
        )


def notes(announced: Announced | None) -> tuple[Title, ...]:
    """Whose test it is, and when."""
    if announced is None:
        return ()
    told, phase = announced.announcement, announced.observed
    times = f"{phase.begins:%Y-%m-%d %H:%M} – {phase.ends:%H:%M}"
    return (
        Title(
            zh=f"依据{told.issuer}通知 {told.number}，观测阶段“{phase.title.zh}”（{times}）；本公司不作任何变更",
            en=f"announcement {told.number} of {told.issuer}, phase {phase.id} ({times}): nothing is changed",
        ),
    )

"""What `drillctl whatif --json` says."""

from collections.abc import Sequence
from typing import Any

from orchestrator.planner.cures import Cure
from orchestrator.planner.failures import Failure, title_of
from orchestrator.planner.situation import Verdict
from orchestrator.planner.survey import Loss, Survey
from orchestrator.planner.whatif import Answer

PAIRS_CURED = 20  # our choice: pairs for which a cure is looked for; the others are listed without


def survey_data(survey: Survey, *, singles: bool, pairs: bool) -> dict[str, Any]:
    """Everything; what is left out was not asked for."""
    what_if = survey.what_if
    found: dict[str, Any] = {
        "site": what_if.topology.site.name,
        "on": what_if.today.isoformat(),
        "gateways": len(what_if.judged),
        "without_a_path_before": what_if.idle,
        "out_of_service": list(what_if.down),
        "failures": len(what_if.failures),
    }
    if singles:
        cures = {loss.failed: loss for loss in survey.losing}
        found["singles"] = [_single(survey, answer, cures.get(answer.failed)) for answer in survey.singles]
    if pairs:
        found["pairs"] = _pairs(survey)
    return found


def _single(survey: Survey, answer: Answer, loss: Loss | None) -> dict[str, Any]:
    return _head(survey, answer) | {
        "gateways": {name: verdict.fate.value for name, verdict in answer.verdicts.items()},
        "lost": answer.lost,
        "cure": _cure(loss.cure) if loss else None,
    }


def _head(survey: Survey, answer: Answer) -> dict[str, Any]:
    return {
        "failures": _ids(answer.failed),
        "titles": [title_of(survey.what_if.topology, item).model_dump() for item in answer.failed],
        "counts": {fate.value: count for fate, count in answer.counts.items()},
        "steps": [step.id for step in answer.acts],
    }


def _pairs(survey: Survey) -> dict[str, Any]:
    pairs, worst = survey.pairs, survey.worst_pairs(PAIRS_CURED)
    shown = {loss.failed for loss in worst}
    return {
        "count": pairs.count,
        "worse_than_their_parts": len(pairs.worse),
        "worst": [{"failures": _ids(loss.failed), "lost": list(loss.lost), "cure": _cure(loss.cure)} for loss in worst],
        "others": [
            {"failures": _ids(pair), "lost": sorted(pairs.lost(*pair))} for pair in pairs.worse if pair not in shown
        ],
    }


def answer_data(survey: Survey, answer: Answer) -> dict[str, Any]:
    """One combination in full."""
    loss = survey.loss(answer)
    return _head(survey, answer) | {
        "out_of_service": list(survey.what_if.down),
        "gateways": {name: _verdict(verdict) for name, verdict in answer.verdicts.items()},
        "paths": [item.model_dump(mode="json") for item in answer.paths],
        "steps": [step.model_dump(mode="json") for step in answer.steps],
        "lost": answer.lost,
        "cure": _cure(loss.cure),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "fate": verdict.fate.value,
        "changes": [item.model_dump(mode="json") for item in verdict.changes],
        "certificate": verdict.certificate,
        "why": verdict.why or None,
    }


def _cure(cure: Cure | None) -> dict[str, Any] | None:
    if cure is None:
        return None
    return {
        "kind": cure.kind.value,
        "text": cure.text.model_dump(),
        "cured": list(cure.cured),
        "left": list(cure.left),
    }


def _ids(failed: Sequence[Failure]) -> list[str]:
    return [item.id for item in failed]

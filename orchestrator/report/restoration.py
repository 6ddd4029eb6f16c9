"""What is not as it was before, in words."""

from dataclasses import dataclass
from typing import Final

from orchestrator.model.event import CheckResult
from orchestrator.model.plan import Phase
from orchestrator.report.context import Context
from orchestrator.report.evaluation import no_duplicate_login

# A snapshot's values come as Python prints them.
_PLAIN: Final = {"None": "value.not_measured", "": "value.not_measured", "True": "value.yes", "False": "value.no"}


@dataclass(frozen=True)
class DifferenceRow:
    target: str
    field: str
    before: str
    after: str


def difference_rows(context: Context) -> tuple[DifferenceRow, ...]:
    return tuple(
        DifferenceRow(
            target=context.named_target(item.target),
            field=_field(context, item.field),
            before=_value(context, item.before),
            after=_value(context, item.after),
        )
        for item in context.record.verdict.differences
    )


def restored(context: Context) -> tuple[str, ...]:
    """What the restoration rests on: checks, files byte for byte, and single login as far as local evidence goes."""
    return (_checked(context), _files(context), no_duplicate_login(context))


def _checked(context: Context) -> str:
    made = [item for item in context.record.checks if item.phase == Phase.PROVING_RESTORATION]
    results = [item.result for item in made]
    if not made:
        return context.texts("restoration.no_checks")
    return context.texts(
        "restoration.checks",
        n=len(made),
        normal=results.count(CheckResult.NORMAL),
        abnormal=results.count(CheckResult.ABNORMAL),
        blind=sum(item.could_not_look for item in made),
    )


def _files(context: Context) -> str:
    files = context.record.configurations
    same = sum(item.sha256_before is not None and item.sha256_before == item.sha256_after for item in files)
    return (
        context.texts("restoration.files", n=len(files), same=same) if files else context.texts("restoration.no_files")
    )


def _field(context: Context, name: str) -> str:
    """A snapshot's field, or the centre that a router's path leads to."""
    if name in context.topology.centre:
        return context.texts("snapshot_field.path", centre=context.centre(name))
    return context.texts.named("snapshot_field", name)


def _value(context: Context, value: str) -> str:
    return context.texts(_PLAIN[value]) if value in _PLAIN else context.texts.said(value)

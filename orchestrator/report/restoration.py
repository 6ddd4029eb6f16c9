"""What is not as it was before, in words."""

from dataclasses import dataclass
from typing import Final

from orchestrator.report.context import Context

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


def _field(context: Context, name: str) -> str:
    """A snapshot's field, or the centre that a router's path leads to."""
    if name in context.topology.centre:
        return context.texts("snapshot_field.path", centre=context.centre(name))
    return context.texts.named("snapshot_field", name)


def _value(context: Context, value: str) -> str:
    return context.texts(_PLAIN[value]) if value in _PLAIN else context.texts.said(value)

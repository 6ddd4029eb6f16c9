"""A drill that became an incident: when, by whom, why, and what was done before and after."""

from orchestrator.report.context import Context


def promotion_lines(context: Context) -> tuple[str, ...]:
    """Nothing where nobody promoted it."""
    texts, moments, record = context.texts, context.moments, context.record
    found = record.promotion
    if found is None:
        return ()
    person, said = context.person(found.by), texts.said(found.reason)
    before = {(item.step, item.attempt) for item in record.steps if item.started_at < found.at}
    after = {(item.step, item.attempt) for item in record.steps if item.started_at >= found.at}
    lifted = record.lifted_at is not None and record.lifted_at >= found.at
    return (
        texts("promotion.row", at=moments.full(found.at), by=person, reason=said),
        texts("promotion.before", n=len(before)),
        texts("promotion.lifted", at=moments.full(record.lifted_at or found.at))
        if lifted
        else texts("promotion.not_lifted"),
        texts("promotion.after", n=len(after)),
        texts("promotion.note"),
    )


def promoted_in_one_line(context: Context) -> str:
    """For the conclusion; empty where it stayed what it was."""
    found = context.record.promotion
    return context.texts("promotion.paragraph", at=context.moments.full(found.at)) if found else ""

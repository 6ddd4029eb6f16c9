"""One row of a plan's step list. Pure."""

from collections.abc import Sequence

from orchestrator.model.base import Title
from orchestrator.model.plan import Phase, Policy, Step, Target, Verb


def step_of(  # noqa: PLR0913, PLR0917 - a step is a row of a table, and those who call it read as one
    name: str,
    phase: Phase,
    verb: Verb,
    zh: str,
    en: str,
    deadline_s: float,
    targets: Sequence[Target] = (),
    policy: Policy = Policy.RERUN,
    undoes: str | None = None,
    wave: int | None = None,
    **arguments: object,
) -> Step:
    """Without targets it is a step of the site as a whole, with these arguments."""
    chosen = tuple(targets) or (Target(kind="site", name="site", arguments=dict(arguments)),)
    return Step(
        id=name,
        phase=phase,
        verb=verb,
        title=Title(zh=zh, en=en),
        targets=chosen,
        undoes=undoes,
        policy=policy,
        deadline_s=deadline_s,
        wave=wave,
    )

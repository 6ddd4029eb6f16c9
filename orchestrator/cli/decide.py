"""`drillctl decide`: say what nobody could tell by looking."""

import getpass
import json
import secrets
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from orchestrator.cli.awaited import people_steps
from orchestrator.cli.needs import Standing, as_data, on_site, standing_of
from orchestrator.cli.options import DEFAULT_SITE, Json, RunId, Site
from orchestrator.errors import DefinitionError, Refused
from orchestrator.history import Question, plan_now
from orchestrator.journal import CLOSED, RunState, SqliteJournal
from orchestrator.model.drill import Mode
from orchestrator.model.people import People
from orchestrator.model.plan import Verb
from orchestrator.wiring.places import Places, copy_of


class Choice(StrEnum):
    """`done`: it is in force; `not-done`: it is not, and shall not be done; `repeat`: it is not, do it again."""

    DONE = "done"
    NOT_DONE = "not-done"
    REPEAT = "repeat"


def decide(  # noqa: PLR0913, PLR0917 - one option each
    run: RunId,
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step that the run waits for.")],
    choice: Annotated[Choice, typer.Argument(help="It is in force; it is not; it is not and is to be done again.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="How you know; it stands in the report.")],
    target: Annotated[
        str | None, typer.Option("--target", metavar="NAME", help="One of its targets; without it, all that wait.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides; without it, the user.")] = None,
    second: Annotated[
        str | None, typer.Option("--second", metavar="NAME", help="The second person, where two are needed.")
    ] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Answer what a run waits for. What could be told by looking is never asked; `drillctl resume` then goes on."""
    if not reason.strip():
        raise DefinitionError("--reason: expected how you know, found nothing")
    places = Places()
    journal = places.journal(places.site_name(site))
    try:
        standing = standing_of(journal, run)
        question = _open_question(standing, step, target, choice)
        data: dict[str, Any] = {"step": step, "choice": choice.value, "reason": reason, "by": by or getpass.getuser()}
        data |= {key: value for key, value in (("target", target), ("second", second)) if value is not None}
        data["targets"] = [target] if target else list(question.targets)
        data["attempt"] = newest_attempt(journal, run, step)
        is_incident = plan_now(standing.state.plan, journal.events(run)).mode is Mode.INCIDENT
        _may_decide(standing.state, question, choice, by, second, is_incident=is_incident)
        journal.post(run, "decide", data, f"decide-{run}-{step}-{secrets.token_hex(8)}")
        _answer(standing_of(journal, run), site, data, as_json=as_json)
    finally:
        journal.close()


def newest_attempt(journal: SqliteJournal, run: str, step: str) -> int:
    """Which attempt the question is about: a word on this one says nothing of a later one."""
    return max((event.attempt or 1 for event in journal.events(run) if event.step == step), default=1)


def _open_question(standing: Standing, step: str, target: str | None, choice: Choice) -> Question:
    """DefinitionError says what is open."""
    if standing.word == CLOSED:
        raise Refused("RUN_CLOSED", f"run {standing.run} is closed: there is nothing left to decide")
    question = next((item for item in standing.questions if item.step == step), None)
    if question is None:
        raise DefinitionError(f"STEP: expected {_open_ones(standing.questions)}, found {step!r}")
    if target is not None and target not in question.targets:
        raise DefinitionError(f"--target: expected one of {', '.join(question.targets)}, found {target!r}")
    if choice.value not in question.choices:
        raise DefinitionError(f"CHOICE: expected one of {', '.join(question.choices)}, found {choice.value!r}")
    return question


def _open_ones(questions: Sequence[Question]) -> str:
    if not questions:
        return "a step that waits for a person (there is none)"
    return "one of " + ", ".join(f"{item.step} ({', '.join(item.targets)})" for item in questions)


def _may_decide(
    state: RunState, question: Question, choice: Choice, by: str | None, second: str | None, *, is_incident: bool
) -> None:
    """A person's word never fences anything in a drill; in an incident it takes two (design §5.1). That people have
    done their step its owner says, or two.
    """
    owned = next((item for item in people_steps(state) if item.id == question.step), None)
    if choice is Choice.DONE and owned and by not in owned.targets[0].arguments["people"]:
        _two_people(copy_of(state).topology.people, by, second, f"confirm {question.step} for its owner")
    fences = {step.id for step in state.plan.steps if step.verb in (Verb.FENCE, Verb.GIVE_BACK)}
    if choice is not Choice.DONE or question.step not in fences:
        return
    if not is_incident:
        raise Refused(
            "DECLARATION_IN_DRILL",
            f"step {question.step} frees a gateway number: in a {state.plan.mode} that is proved, never declared; "
            "answer not-done, and the run goes back",
        )
    _two_people(copy_of(state).topology.people, by, second, "declare a fence")


def _two_people(people: People, by: str | None, second: str | None, what: str) -> None:
    known = [person.id for person in people.people]
    if by is None or second is None or by == second or not {by, second} <= set(known):
        raise Refused(
            "TWO_PEOPLE",
            f"two different people of people.yml ({', '.join(known) or 'it names none'}) have to {what}; "
            f"expected --by ID --second ID, found --by {by or 'nobody'} --second {second or 'nobody'}",
        )


def _answer(standing: Standing, site: Path, data: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"decided": data, **as_data(standing)}, ensure_ascii=False))
        return
    left = ", ".join(f"{item.step} ({', '.join(item.targets)})" for item in standing.questions)
    then = f"still open: {left}" if left else f"next: drillctl resume {standing.run}{on_site(site)}"
    Console(soft_wrap=True, highlight=False).print(f"noted: {data['step']} {data['choice']}; {then}", markup=False)

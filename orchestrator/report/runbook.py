"""A plan on paper, for the day when nothing but paper works: HTML and PDF, in Chinese and in English.

The same plan, inventory and date give the same bytes. No clock is read, no host is reached, and nothing
secret is known here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.model.people import Person, PersonRole
from orchestrator.model.plan import GatewayChange, Phase, Placement, Plan
from orchestrator.model.topology import Topology
from orchestrator.report.hours import hours_in_words
from orchestrator.report.render import CONTENT_POLICY, css_string
from orchestrator.report.runbook_blocks import place_of
from orchestrator.report.runbook_gateway import release_s
from orchestrator.report.runbook_model import Desk, Login, Page
from orchestrator.report.runbook_steps import fault, pages
from orchestrator.report.runbook_texts import RunbookTexts
from orchestrator.report.texts import Language

_BACK: Final = (Phase.RESTORING, Phase.PROVING_RESTORATION)
# Who is called while the plan is carried out, and who signs at the end (our choice).
_CALLED: Final = (
    PersonRole.COMMANDER,
    PersonRole.OPERATOR,
    PersonRole.GATEWAY_OPERATOR,
    PersonRole.CHIEF_INFORMATION_OFFICER,
    PersonRole.APPROVER,
    PersonRole.EVALUATOR,
)
_SIGNERS: Final = (PersonRole.COMMANDER, PersonRole.OPERATOR, PersonRole.EVALUATOR)


@dataclass(frozen=True)
class OwnRow:
    name: str
    roles: str
    phones: tuple[str, ...]


@dataclass(frozen=True)
class PlaceRows:
    """Where a gateway is: label and value, in the order of reading."""

    rows: tuple[tuple[str, str], ...]
    list: tuple[str, ...]


@dataclass(frozen=True)
class GatewayCard:
    id: str
    title: str
    number: str
    where: str
    wave: int | None
    action: str
    reason: str
    before: PlaceRows
    after: PlaceRows


def render(plan: Plan, topology: Topology, logins: Mapping[str, Login], printed_on: date, language: Language) -> str:
    """The runbook in one language. `logins`: every gateway host and CE router, as hosts.yml says to reach it."""
    desk = Desk(plan, topology, logins, RunbookTexts(language), printed_on)
    every = pages(desk)
    steps = {step.id: step for step in plan.steps}
    return (
        _environment()
        .get_template("runbook.html.j2")
        .render(
            desk=desk,
            plan=plan,
            t=desk.texts,
            words=desk.words,
            language=language,
            policy=CONTENT_POLICY,
            style=_style("report.css"),
            own_style=_style("runbook.css"),
            facts=list(_facts(desk)),
            own=list(_own(desk)),
            contacts=[(item, hours_in_words(desk.words, item)) for item in topology.people.contacts],
            cards=[_card(desk, change) for change in plan.affected],
            untouched=[item.gateway for item in plan.gateways if item not in plan.affected],
            waves=_waves(desk),
            releases=_releases(desk),
            samples=_samples(desk),
            forward=[page for page in every if steps[page.id].phase not in _BACK],
            back=[page for page in every if steps[page.id].phase in _BACK],
            signers=[desk.words(f"role.{role}") for role in _SIGNERS],
            called=_called,
        )
    )


def _facts(desk: Desk) -> Iterator[tuple[str, str]]:
    plan, t, words = desk.plan, desk.texts, desk.words
    yield t("cover.firm"), t.of(desk.topology.site.title)
    yield t("cover.drill"), t.of(plan.title)
    yield t("cover.mode"), words(f"mode.{plan.mode}")
    yield t("cover.response"), words(f"response.{plan.response}")
    yield t("cover.fault"), fault(desk)
    if plan.parameters:
        yield t("cover.parameters"), "  ".join(f"{name}={value}" for name, value in plan.parameters.items())
    if plan.out_of_service:
        yield t("cover.out"), t.joined(t.of(desk.topology.line[name].title) for name in plan.out_of_service)
    yield t("cover.dated"), desk.printed_on.isoformat()
    yield t("cover.inventory"), plan.inventory_digest


def _own(desk: Desk) -> Iterator[OwnRow]:
    """Everybody once, in the order in which they are called."""
    people = desk.topology.people
    for person in dict.fromkeys(person for role in _CALLED for person in people.with_role(role)):
        yield OwnRow(desk.texts.of(person.name), _roles(desk, person), person.phones)


def _roles(desk: Desk, person: Person) -> str:
    return desk.texts.joined(desk.words(f"role.{role}") for role in _CALLED if role in person.roles)


def _called(page: Page, own: list[OwnRow]) -> list[OwnRow]:
    """Who carries a step out, with their numbers."""
    return [row for row in own if page.role in row.roles]


def _card(desk: Desk, change: GatewayChange) -> GatewayCard:
    gateway = desk.gateway(change.gateway)
    return GatewayCard(
        id=change.gateway,
        title=desk.texts.of(gateway.title),
        number=change.number,
        where=place_of(desk, change.host),
        wave=change.wave,
        action=desk.words(f"action.{change.action}"),
        reason=desk.texts.of(change.reason),
        before=_place(desk, change.before, change.list_before, "gateway.stopped"),
        after=_place(desk, change.after, change.list_after, "gateway.out"),
    )


def _place(desk: Desk, place: Placement | None, fronts: tuple[str, ...], otherwise: str) -> PlaceRows:
    t, topology = desk.texts, desk.topology
    if place is None:
        return PlaceRows(((t("gateway.front"), t(otherwise)),), ())
    centre = t.of(topology.centre[place.centre].title)
    rows = [(t("gateway.front"), f"{centre}  {desk.front(place.front).endpoint}")]
    rows.append((t("gateway.line"), t.of(topology.line[place.line].title) if place.line else t("gateway.none")))
    rows.append((t("gateway.certificate"), place.certificate or t("gateway.none")))
    return PlaceRows(tuple(rows), desk.endpoints(fronts))


def _waves(desk: Desk) -> list[tuple[int, list[GatewayChange]]]:
    numbers = sorted({change.wave for change in desk.plan.affected if change.wave is not None})
    return [(number, [change for change in desk.plan.affected if change.wave == number]) for number in numbers]


def _releases(desk: Desk) -> list[str]:
    """The longest release time of all gateways here; a sentence of its own where one is unknown."""
    gateways = [desk.gateway(change.gateway) for change in desk.plan.affected]
    times = [release_s(desk, gateway) for gateway in gateways if not gateway.receives_only]
    known = [time for time in times if time is not None]
    said = [desk.texts("order.release", seconds=max(known))] if known else []
    return said + ([desk.texts("order.release_unknown")] if len(known) < len(times) else [])


def _samples(desk: Desk) -> str:
    """Kinds of software whose commands nobody has compared with the vendor's manual."""
    used = dict.fromkeys(desk.gateway(change.gateway).profile for change in desk.plan.affected)
    profiles = [desk.topology.profiles[name] for name in used]
    return desk.texts.joined(desk.texts.of(profile.title) for profile in profiles if not profile.verified)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("orchestrator.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(css_string=css_string)
    return environment


@cache
def _style(name: str) -> Markup:
    return Markup(files("orchestrator.report").joinpath("templates", name).read_text(encoding="utf-8"))  # noqa: S704 - our own file

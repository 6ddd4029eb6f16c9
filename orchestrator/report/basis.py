"""What the drill rests on, and how far it reaches: rules, the exchange's announcement, and the systems in scope."""

from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter

from orchestrator.model.base import Frozen, Title
from orchestrator.model.packaged import packaged_yaml
from orchestrator.model.topology import GatewayClass
from orchestrator.report.context import Context
from orchestrator.rules.clauses import clause_register


class Rule(Frozen):
    """A rule that asks for drills or for their records."""

    title: Title
    asks: Title


@dataclass(frozen=True)
class Reach:
    """The systems in scope, in words."""

    centres: tuple[str, ...]
    rooms: tuple[str, ...]
    carriers: tuple[str, ...]
    gateways: str


@cache
def rules() -> tuple[Rule, ...]:
    return TypeAdapter(tuple[Rule, ...]).validate_python(packaged_yaml("report", "basis.yml"))


def rule_rows(context: Context) -> tuple[tuple[str, str], ...]:
    """Rules, then the access specifications that this drill is for."""
    texts, register = context.texts, clause_register()
    named = {register.clause[name].document: None for name in context.record.plan.clauses if name in register.clause}
    specifications = [
        (
            texts.of(register.documents[name].title),
            texts("basis.clauses", clauses=texts.joined(_clauses(context, name))),
        )
        for name in named
    ]
    return (*((texts.of(rule.title), texts.of(rule.asks)) for rule in rules()), *specifications)


def _clauses(context: Context, document: str) -> list[str]:
    known = clause_register().clause
    return [name for name in context.record.plan.clauses if name in known and known[name].document == document]


def reach(context: Context) -> Reach:
    topology, texts, gateways = context.topology, context.texts, context.record.plan.gateways
    known = {topology.front[name].centre for item in gateways for name in (*item.list_before, *item.list_after)}
    kinds = [item.gateway_class for item in gateways]
    counts = (
        texts("basis.count", title=texts(f"class.{kind}"), n=kinds.count(kind))
        for kind in GatewayClass
        if kind in kinds
    )
    return Reach(
        centres=tuple(texts.of(item.title) for item in topology.centres if item.id in known),
        rooms=tuple(texts.of(item.title) for item in topology.rooms),
        carriers=tuple(texts.of(item.title) for item in topology.carriers),
        gateways=texts("basis.gateways", n=len(gateways), parts=texts.joined(counts)),
    )

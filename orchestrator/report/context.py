"""What every section of a report is made from: the record, the language, and names of the topology in words."""

from dataclasses import dataclass
from functools import cached_property

from orchestrator.model.drill import Response
from orchestrator.model.people import PersonRole
from orchestrator.model.plan import GatewayChange
from orchestrator.model.record import RunRecord
from orchestrator.model.topology import CertificateKind, Front, Topology
from orchestrator.model.verdict import GatewayTimes
from orchestrator.report.moments import Moments
from orchestrator.report.texts import Language, Texts


@dataclass(frozen=True)
class Context:
    """One record to be read in one language."""

    record: RunRecord
    language: Language

    @cached_property
    def texts(self) -> Texts:
        return Texts(self.language)

    @cached_property
    def moments(self) -> Moments:
        texts = self.texts
        return Moments(
            self.topology.site.timezone, self.record.started_at, texts("value.not_measured"), texts("unit.s")
        )

    @property
    def topology(self) -> Topology:
        return self.record.topology

    @cached_property
    def times(self) -> dict[str, GatewayTimes]:
        """What was measured, by gateway."""
        return {item.gateway: item for item in self.record.verdict.gateways}

    @cached_property
    def changes(self) -> dict[str, GatewayChange]:
        """What the plan means, by gateway."""
        return {item.gateway: item for item in self.record.plan.gateways}

    @property
    def response(self) -> str:
        """The response as texts know it: where a host fails, standbys stand in and no list is changed."""
        plan = self.record.plan
        return "stand_in" if plan.fault.hosts and plan.response is Response.REPOINT else plan.response.value

    def front_known(self, name: str) -> Front | None:
        """A front by its id or, as a session names it, by its endpoint."""
        return self.topology.front.get(name) or self.topology.front_at.get(name)

    def centre(self, name: str) -> str:
        known = self.topology.centre.get(name)
        return self.texts.of(known.title) if known else name

    def front(self, name: str | None) -> str:
        """Centre and endpoint of a front."""
        if name is None:
            return self.texts("value.not_measured")
        known = self.front_known(name)
        return f"{self.centre(known.centre)} {known.endpoint}" if known else name

    def line(self, name: str | None) -> str:
        if name is None:
            return self.texts("value.not_measured")
        known = self.topology.line.get(name)
        return self.texts.of(known.title) if known else name

    def carrier(self, name: str) -> str:
        known = self.topology.carrier.get(name)
        return self.texts.of(known.title) if known else name

    def certificate(self, name: str) -> str:
        """A certificate's id with its kind."""
        kinds = {item.id: item.kind for item in self.topology.certificates}
        if name not in kinds:
            return name
        kind = "certificate.ekey" if kinds[name] is CertificateKind.EKEY else "certificate.file"
        return self.texts("certificate.named", id=name, kind=self.texts(kind))

    def gateway_title(self, name: str) -> str:
        known = self.topology.gateway.get(name)
        return self.texts.of(known.title) if known else name

    def named_target(self, name: str) -> str:
        """A gateway by its number with its id, anything else by its id."""
        known = self.topology.gateway.get(name)
        return f"{known.number} ({name})" if known else name

    def is_device(self, name: str) -> bool:
        """Whether it is a gateway, a host or a router, and no name for the whole site or for the fault."""
        topology = self.topology
        return name in topology.gateway or name in topology.host or any(item.id == name for item in topology.routers)

    @cached_property
    def owners_of_steps(self) -> frozenset[str]:
        """Roles and people that confirm steps of the plan."""
        steps = self.record.plan.steps
        return frozenset(item.name for step in steps for item in step.targets if item.kind == "person")

    def owner(self, name: str) -> str:
        """A role in words, or a person by name."""
        return self.texts(f"role.{name}") if name in list(PersonRole) else self.person(name)

    def person(self, name: str) -> str:
        """Somebody of people.yml by name, anybody else as they signed."""
        known = {item.id: item.name for item in self.topology.people.people}
        return f"{self.texts.of(known[name])} ({name})" if name in known else name

    @cached_property
    def _first_of_number(self) -> dict[str, str]:
        """Number → the gateway that has it first in the inventory: a cold standby shares its primary's."""
        return {gateway.number: gateway.id for gateway in reversed(self.topology.gateways)}

    def number(self, name: str) -> str:
        """A gateway's number, by its id; a cold standby, which shares its primary's, is told apart by its id."""
        known = self.topology.gateway.get(name)
        if known is None:
            return name
        return known.number if self._first_of_number[known.number] == name else f"{known.number} ({name})"

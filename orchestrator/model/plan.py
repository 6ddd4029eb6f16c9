"""A plan: what a drill will do on this topology, frozen before anything is touched."""

import hashlib
import json
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field

from orchestrator.model.announcement import Announced
from orchestrator.model.base import Frozen, Seconds, Title, is_empty
from orchestrator.model.disaster import Milestone
from orchestrator.model.drill import (
    CertificateCause,
    Check,
    Checks,
    FaultManner,
    Mode,
    Objective,
    Response,
    StopConditions,
)
from orchestrator.model.failback import FailsBack
from orchestrator.model.topology import GatewayClass


class Fault(Frozen):
    """The fault with every reference resolved. `lines` holds all lines that are dead because of it, `fronts` those
    that are silent while their centre is there. What is not in it is left out of what is stored, so that the digest
    of any other fault is as it was without the field.
    """

    manner: FaultManner
    centres: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    fronts: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    certificates: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    cause: CertificateCause | None = Field(default=None, exclude_if=is_empty)
    suspended_by: str | None = Field(
        default=None, exclude_if=is_empty, description="The operator that suspended the access: nothing is moved"
    )


class FaultSource(StrEnum):
    """Who makes the fault (design §3)."""

    TWIN = "twin"
    OWN_DEVICE = "own_device"
    EXCHANGE = "exchange"
    DECLARED = "declared"


class Action(StrEnum):
    """What happens to a gateway in this plan."""

    NONE = "none"  # not touched by the fault
    REROUTED = "rerouted"  # keeps its list; the network takes another line
    OWN_LIST = "own-list"  # observe: its own ordered list fails over
    REPOINT = "repoint"  # its list is changed
    NO_BUSINESS = "no-such-business"  # its service does not exist where the others go
    TAKEN_OVER = "taken-over"  # its host fails; it is fenced, and its cold standby goes on with its number
    TAKE_OVER = "take-over"  # cold standby: starts with the number of the gateway that is fenced
    HOT_STANDBY = (
        "hot-standby"  # its host fails; its pair has a number of its own and is logged in: nothing is switched
    )
    CERTIFICATE = "other-certificate"  # it goes on with another certificate of its own
    PAIR = "pair"  # no way is left for it; its pair, logged in under a number of its own, goes on
    SUSPENDED = "suspended"  # its access is suspended: it stays as it is, and nothing is moved
    HOME = "home"  # failback: goes back to where it was before the incident
    GIVE_BACK = "give-back"  # failback: the cold standby that the incident started is stopped again

    @property
    def stays_down(self) -> bool:
        """Whether the gateway itself is not expected to work while the fault lasts."""
        return self in _STAYING_DOWN


_STAYING_DOWN = frozenset(
    {
        Action.NO_BUSINESS,
        Action.TAKEN_OVER,
        Action.HOT_STANDBY,
        Action.PAIR,
        Action.SUSPENDED,
        Action.GIVE_BACK,
    }
)


class Placement(Frozen):
    """Where a gateway is, or should be: front, centre, line and certificate."""

    front: str
    centre: str
    line: str | None
    certificate: str | None = None


class GatewayChange(Frozen):
    """What the plan means for one gateway. `before` is None for a cold standby: it does not run. `after` is None for
    one that is not to work while the fault lasts.
    """

    gateway: str
    number: str
    gateway_class: GatewayClass
    host: str
    action: Action
    before: Placement | None
    after: Placement | None
    list_before: tuple[str, ...]
    list_after: tuple[str, ...]
    reason: Title
    wave: int | None = None
    standby: Annotated[
        str | None, Field(description="The gateway that carries its business while its host is down")
    ] = None
    stands_in_for: Annotated[str | None, Field(description="Cold standby: the gateway whose number it starts with")] = (
        None
    )
    # Left out of what is stored where it is none, so that the digest of any other plan is as it was without the field.
    hands: str | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Who does and confirms everything on its host, which is not scriptable; none: this program does",
    )


class PathChange(Frozen):
    """A static CE router's path to one centre that must be moved to another line. With `address`: the path stays, and
    a host route to this address alone is put beside it, over the satellite.
    """

    router: str
    centre: str
    line_before: str
    line_after: str
    reason: Title
    address: str | None = Field(default=None, exclude_if=is_empty)

    @property
    def name(self) -> str:
        """As the steps that move it name their target."""
        return "/".join((self.router, self.centre, *((self.address,) if self.address else ())))


class Phase(StrEnum):
    """The states of a run that hold steps, in order (design §3)."""

    PRECHECKING = "prechecking"
    BASELINING = "baselining"
    INJECTING = "injecting"
    SWITCHING = "switching"
    VERIFYING = "verifying"
    HOLDING = "holding"
    RESTORING = "restoring"
    PROVING_RESTORATION = "proving_restoration"
    CLOSING = "closing"


BEFORE_ANYTHING = (Phase.PRECHECKING, Phase.BASELINING)


class Verb(StrEnum):
    """What a step does. Each that touches a target is one playbook."""

    ARM = "arm"
    DISARM = "disarm"
    SNAPSHOT = "snapshot"
    CHECK = "check"
    INJECT = "inject"
    LIFT = "lift"
    PATH = "path"  # network_path: a static router's path to a centre
    REPOINT = "repoint"  # change a gateway's list, one round trip
    RESTORE = "restore"  # the file's own previous bytes back, one round trip
    RESTART = "restart"  # stop, prove out, start: so that a gateway begins at the top of its list again
    FENCE = "fence"  # make sure that a gateway cannot log in, prove it, wait until its number is free
    TAKE_OVER = "take_over"  # start the cold standby of a gateway whose fence is proved
    GIVE_BACK = "give_back"  # stop that standby again, prove it out, wait until the number is free
    UNFENCE = "unfence"  # let the gateway log in again
    WAIT = "wait"  # wait for a measured condition
    HOLD = "hold"
    PROVE = "prove"
    CONFIRM = "confirm"  # a person does it and says so; nothing after it begins before


class Policy(StrEnum):
    """What an open intent means after an interruption: rerun it, look, or ask a person (design §4)."""

    RERUN = "rerun"
    LOOK = "look"
    ASK = "ask"


class Target(Frozen):
    """One thing a step acts on, with the arguments of the act."""

    kind: Annotated[str, Field(pattern="^(gateway|router|fault|site|person)$")]
    name: str
    arguments: dict[str, Any] = {}


class Step(Frozen):
    """One entry of the frozen step list. One guarded call carries all targets of a step (a wave)."""

    id: str
    phase: Phase
    verb: Verb
    title: Title
    targets: tuple[Target, ...] = ()
    undoes: Annotated[str | None, Field(description="The step that this one undoes; skipped if that never began")] = (
        None
    )
    policy: Policy = Policy.ASK
    deadline_s: Seconds
    wave: int | None = None
    checks: tuple[Check, ...] = ()

    @property
    def by_hand(self) -> tuple[str, ...]:
        """Gateways on hosts that are not scriptable, of which a person says what is asked for here."""
        return tuple(name for target in self.targets for name in target.arguments.get("hands", ()))

    @property
    def moves_by_hand(self) -> bool:
        """Whether that person stops and starts the gateway, too."""
        return any(target.arguments.get("moves") for target in self.targets)


class Plan(Frozen):
    """Ordered steps with their undo, and what they mean for each gateway. Pure data."""

    drill: str
    title: Title
    site: str
    mode: Mode
    response: Response
    parameters: dict[str, str]
    clauses: tuple[str, ...]
    fault: Fault
    inventory_digest: str
    drill_digest: str
    gateways: tuple[GatewayChange, ...]
    paths: tuple[PathChange, ...]
    out_of_service: Annotated[tuple[str, ...], Field(description="Lines that are down already")] = ()
    objectives: tuple[Objective, ...]
    checks: Checks
    stop: StopConditions = StopConditions()
    milestones: tuple[Milestone, ...] = ()
    steps: tuple[Step, ...]
    notes: tuple[Title, ...] = ()
    # Left out of what is stored where it is none, so that the digest of any other plan is as it was without the field.
    fails_back: FailsBack | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Failback: the incident that it brings home; `before` of a gateway is then where that has put it",
    )
    announced: Announced | None = Field(
        default=None, exclude_if=is_empty, description="The announced test whose cut phase is observed"
    )

    @cached_property
    def digest(self) -> str:
        """sha256 over the canonical JSON of the whole plan."""
        return digest_of(self.model_dump(mode="json"))

    @property
    def id(self) -> str:
        return f"{self.drill}-{self.digest[:8]}"

    @property
    def longest_s(self) -> float:
        """Seconds after which it is over whatever happens, or a person has been called. What people take days
        for is not counted, but for what they do in place of this program: a window gates what injects and switches
        only, and a drill that still waits for somebody at the latest return goes back then.
        """
        return sum(step.deadline_s for step in self.steps if step.verb is not Verb.CONFIRM or step.by_hand)

    @property
    def is_promoted(self) -> bool:
        """As a promoted drill is read (`history.as_promoted`): its fault is lifted, and what the real one is nobody has
        said, so that every front of a gateway's lists may serve.
        """
        fault = self.fault
        known = fault.centres or fault.carriers or fault.lines or fault.hosts
        return self.mode is Mode.INCIDENT and self.fails_back is None and not known

    @cached_property
    def fence_routers(self) -> tuple[str, ...]:
        """CE routers on which a host may have to be cut off from the fronts, or let in again."""
        verbs = (Verb.FENCE, Verb.UNFENCE)
        fences = (target for step in self.steps if step.verb in verbs for target in step.targets)
        return tuple(sorted({router for target in fences for router in target.arguments["routers"]}))

    @cached_property
    def touching(self) -> frozenset[str]:
        """Steps with the first of which everything has to be proved to be as it should be in the end."""
        if self.fails_back:
            found = (step for step in self.steps if step.phase is Phase.RESTORING and step.verb is not Verb.DISARM)
        else:
            found = (step for step in self.steps if step.phase in (Phase.INJECTING, Phase.SWITCHING))
        return frozenset(step.id for step in found)

    @property
    def kind(self) -> str:
        """What people call a run of it: its mode, or `failback`."""
        return "failback" if self.fails_back else self.mode.value

    @cached_property
    def affected(self) -> tuple[GatewayChange, ...]:
        """Gateways that the fault touches."""
        return tuple(change for change in self.gateways if change.action is not Action.NONE)


def canonical_json(data: object) -> bytes:
    """One byte sequence per value: sorted keys, no spaces, UTF-8."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def digest_of(data: object) -> str:
    """sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(data)).hexdigest()

"""What a printed runbook is made of: pages of steps, blocks of one gateway or router each, what to type. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from orchestrator.model.plan import GatewayChange, Plan
from orchestrator.model.topology import Front, Gateway, Topology
from orchestrator.report.runbook_texts import RunbookTexts
from orchestrator.report.texts import Texts


@dataclass(frozen=True)
class Login:
    """Where a host or router answers. Nothing else of hosts.yml comes onto paper: it may hold secrets."""

    address: str
    user: str | None = None
    port: int = 22
    jump: str = ""  # the bastions on the way, as `ssh -J` takes them

    @property
    def command(self) -> str:
        user = f"{self.user}@" if self.user else ""
        port = f"-p {self.port} " if self.port != 22 else ""  # noqa: PLR2004 - ssh's own default
        jump = f"-J {self.jump} " if self.jump else ""
        return f"ssh {jump}{port}{user}{self.address}"


@dataclass(frozen=True)
class Command:
    """What to type, and what must be seen then.

    `seen`: in this order; `only`: and nothing else; `absent`: must not be there. `repeat_s`: type it again until it is
    seen, at most so long. Without `text` it is done in a vendor's own program.
    """

    why: str
    text: str = ""
    seen: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    only: bool = False
    repeat_s: float = 0
    otherwise: str = ""

    @property
    def lines(self) -> tuple[tuple[str, ...], ...]:
        """Words of each line: a line may be broken between two words and nowhere else."""
        return tuple(tuple(line.split(" ")) for line in self.text.splitlines())


@dataclass(frozen=True)
class Block:
    """One gateway or router in one step. `compact`: only a look."""

    key: str
    title: str
    where: str
    login: str
    facts: tuple[tuple[str, str], ...] = ()
    first: str = ""
    commands: tuple[Command, ...] = ()
    after: str = ""
    warning: str = ""
    compact: bool = False


Content = tuple[tuple[str, ...], tuple[Block, ...]]  # what to know first, and where to type


@dataclass(frozen=True)
class Page:
    """One step of the plan. `role`: who does it; `say`: what to know first."""

    id: str
    number: int
    phase: str
    title: str
    role: str
    wave: int | None
    say: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    ticks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Desk:
    """Everything that the pages are written from."""

    plan: Plan
    topology: Topology
    logins: Mapping[str, Login]
    texts: RunbookTexts
    printed_on: date

    def change(self, name: str) -> GatewayChange:
        return next(item for item in self.plan.gateways if item.gateway == name)

    def gateway(self, name: str) -> Gateway:
        return self.topology.gateway[name]

    def front(self, name: str) -> Front:
        return self.topology.front[name]

    def endpoints(self, fronts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.topology.front[name].endpoint for name in fronts)

    @property
    def words(self) -> Texts:
        """What reports call phases, roles, classes and checks."""
        return Texts(self.texts.language)

    @property
    def keep(self) -> str:
        """Folder on each host for copies of files: of this plan alone, so that no older copy is taken for its own."""
        return f"/var/tmp/runbook-{self.plan.digest[:8]}"  # noqa: S108 - survives a reboot; made with mode 700

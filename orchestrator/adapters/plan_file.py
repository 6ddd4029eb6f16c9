"""Plans on file, with who asked for them and what people have signed about them. One folder per plan in the state.

A plan that is there is never written again: who asked for it first has asked for it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence import ssh_signatures
from orchestrator.evidence.disk import replace
from orchestrator.evidence.statements import SIGNATURE, read_signed
from orchestrator.loader.site import SIGNERS
from orchestrator.model.approval import Kept, Signed, Statement, namespace
from orchestrator.model.plan import canonical_json

PLAN = "plan.json"


class PlanFile:
    """`plans/` of a site's state folder. `allowed`: who may sign, as the site has it now."""

    def __init__(self, home: Path, allowed: Path) -> None:
        self._home, self._allowed = home, allowed

    def save(self, kept: Kept) -> Path:
        """Keep a plan; its folder. Refused SAVED_BEFORE where somebody else has asked for the same plan."""
        folder = self._home / kept.plan.id
        if (folder / PLAN).exists():
            before = self.load(kept.plan.id).request.by
            if before != kept.request.by:
                raise Refused(
                    "SAVED_BEFORE", f"expected plan {kept.plan.id} not to be on file, found it asked for by {before}"
                )
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        replace(folder / PLAN, canonical_json(kept.model_dump(mode="json")) + b"\n")
        return folder

    def load(self, name: str) -> Kept:
        """A plan by its id. DefinitionError: there is none, or it is not what it was."""
        path = self._home / name / PLAN
        if not path.is_file():
            known = ", ".join(self.names()) or "none"
            raise DefinitionError(
                f"PLAN {name}: expected a plan on file ({known}), found no such; `drillctl plan DRILL --save`"
            )
        try:
            kept = Kept.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise DefinitionError(f"{path}: expected a plan as it was saved, found another; save it again") from error
        if kept.plan.id != name:
            raise DefinitionError(f"{path}: expected plan {name}, found {kept.plan.id}; save it again")
        return kept

    def folder(self, name: str) -> Path:
        return self._home / name

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self._home.glob(f"*/{PLAN}"))

    def has(self, name: str) -> bool:
        return (self._home / name / PLAN).is_file()

    def add(self, plan: str, statement: Statement, signature: bytes) -> Path:
        """Keep what somebody has signed. Refused NOT_SIGNED: it is not signed by who it says."""
        data = statement.canonical()
        checked = ssh_signatures.check(data, signature, statement.by, self._allowed, namespace(statement.kind))
        if not checked.ok:
            raise Refused("NOT_SIGNED", checked.problem)
        folder = self._home / plan
        name = f"{statement.kind}-{statement.by}-{statement.at:%Y%m%dT%H%M%SZ}-{statement.plan[:8]}.json"
        folder.mkdir(parents=True, exist_ok=True)
        replace(folder / f"{name}{SIGNATURE}", signature)
        replace(folder / name, data)
        return folder / name

    def signed(self, drill: str) -> list[Signed]:
        """Everything that was signed for plans of this drill, older ones too, with what each signature says."""
        return [item for item in self._all() if item.statement.drill == drill]

    def _all(self) -> Iterator[Signed]:
        for path in sorted(self._home.glob("*/*.json")):
            if path.name == PLAN:
                continue
            found = read_signed(path, self._allowed)
            if found is not None:
                yield found

    def bytes_of(self, plan: str, names: Iterable[str]) -> dict[str, bytes]:
        """Statements with their signatures, and the keys of those who may sign: all that a verifier needs."""
        found = {SIGNERS: self._allowed.read_bytes()}
        for name in names:
            path = self._home / plan / name
            for file in (path, path.with_name(f"{name}{SIGNATURE}")):
                found[file.name] = file.read_bytes()
        return found

"""The whole exception tree, sorted by who must act and whether anything was touched.

DrillctlError
├── DefinitionError      exit 2   a file or the command line is wrong: nothing touched; correct it
├── Refused              exit 3   refused by name (code): nothing touched; make the condition true
├── Aborted              exit 4   somebody or a stop condition ended the run; what was done is undone
├── NeedsPerson          exit 5   the state cannot be told or an undo failed: a person decides
│   ├── JournalFailed             the journal cannot be written: nothing is done without it
│   └── Superseded                another orchestrator has taken the run over: this one stops
└── StepFailed           exit 1   a step failed on its target; the run goes to restoration
    └── StepUnknown               a step's outcome cannot be told (deadline, lost connection)

Anything else that reaches the command line is our own bug (exit 70).
A message says what was expected, what was found, where, and what to do next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class DrillctlError(Exception):
    """Root of every error the product raises on purpose."""

    exit_code: ClassVar[int] = 70


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a document: `path` is the field (keys and indexes) inside it."""

    path: tuple[str | int, ...]
    message: str
    where: str = ""  # "file:line", filled in by the loader, which knows the file

    def __str__(self) -> str:
        field = ".".join(str(part) for part in self.path)
        return ": ".join(part for part in (self.where, field, self.message) if part)


class DefinitionError(DrillctlError):
    """A definition, inventory or command line is wrong. Nothing was touched."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems = (Problem((), problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Refused(DrillctlError):
    """Refused by name before anything was touched. `code` is upper case with underscores."""

    exit_code = 3

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class Aborted(DrillctlError):
    """The run was ended on purpose; what had an intent was undone."""

    exit_code = 4


class NeedsPerson(DrillctlError):
    """The true state cannot be told by looking, or an undo failed: a named person decides."""

    exit_code = 5


class JournalFailed(NeedsPerson):
    """The journal refused a write. What was to come after it was not begun."""


class Superseded(NeedsPerson):
    """Another orchestrator has taken the run over. This one does nothing more."""


class StepFailed(DrillctlError):
    """A step failed on its target."""

    exit_code = 1


class StepUnknown(StepFailed):
    """A step was cut off: whether it had its effect is not known. Never taken for success."""

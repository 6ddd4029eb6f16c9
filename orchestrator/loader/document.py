"""YAML → plain data that remembers where each field stands. Pure except for reading the file.

Duplicate keys, aliases to nothing and tabs are errors with their line. Dates stay dates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from orchestrator.errors import DefinitionError, Problem
from orchestrator.model.consistency import InventoryProblems

if TYPE_CHECKING:  # else where a file is read: what reads none waits for no parser
    import yaml

FieldPath = tuple[str | int, ...]


@dataclass
class Document:
    """Plain data with the `file:line` of every field."""

    data: dict[str, Any]
    lines: dict[FieldPath, str] = field(default_factory=dict)

    def where(self, path: FieldPath) -> str:
        """`file:line` of a field, or of the nearest field above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, "")

    def located(self, problem: Problem) -> Problem:
        return Problem(problem.path, problem.message, self.where(problem.path))

    def place(self, name: str, other: "Document") -> None:
        """Take another document in as one field of this one."""
        self.data[name] = other.data
        self.lines.update({(name, *path): line for path, line in other.lines.items()})

    def merge(self, other: "Document", under: FieldPath = ()) -> None:
        """Take over another document's fields; lists of the same name are joined, `other` first."""
        target = self.data
        for part in under:
            target = target.setdefault(cast(str, part), {})
        for key, value in other.data.items():
            path = (*under, key)
            if isinstance(value, list) and isinstance(target.get(key), list):
                self._shift(path, len(value))
                target[key] = [*value, *target[key]]
            else:
                target[key] = value
        self.lines.update({(*under, *path): line for path, line in other.lines.items() if path})

    def _shift(self, path: FieldPath, by: int) -> None:
        depth = len(path)
        for old in [item for item in self.lines if item[:depth] == path and len(item) > depth]:
            moved = (*path, cast(int, old[depth]) + by, *old[depth + 1 :])
            self.lines[("\0", *moved)] = self.lines.pop(old)
        for marked in [item for item in self.lines if item[:1] == ("\0",)]:
            self.lines[marked[1:]] = self.lines.pop(marked)


def read(path: Path) -> Document:
    """Read one YAML file that holds a mapping. DefinitionError names file and line."""
    import yaml  # noqa: PLC0415 - see above

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DefinitionError(f"{path}: expected a file, found none") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{path}: expected UTF-8 text, found what cannot be read as such: {error}") from error
    try:
        reader, node = _composed(text)
        if not isinstance(node, yaml.MappingNode):
            raise DefinitionError(
                f"{path}:1: expected a mapping of fields, found "
                f"{'nothing' if node is None else 'a list or a single value'}"
            )
        lines: dict[FieldPath, str] = {}
        _note_lines(node, (), str(path), lines)
        data = reader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise DefinitionError(f"{path}:{line}: expected valid YAML, found {_said(error)}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise DefinitionError(f"{path}: expected valid YAML, found: {error}") from error
    return Document(cast(dict[str, Any], data), lines)


def _composed(text: str) -> tuple[Any, Any]:
    """A reader and the node of its one document. In C five times as fast; what that cannot read, Python's own says
    better why.
    """
    import yaml  # noqa: PLC0415 - see above

    reader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        return reader, reader.get_single_node()
    except yaml.YAMLError:
        reader = yaml.SafeLoader(text)
        return reader, reader.get_single_node()


def _note_lines(node: "yaml.Node", path: FieldPath, file: str, lines: dict[FieldPath, str]) -> None:
    lines.setdefault(path, f"{file}:{node.start_mark.line + 1}")
    kind: str = node.id  # type: ignore[attr-defined] # which class it is, told without the parser's module
    if kind == "mapping":
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen and name != "<<":
                raise DefinitionError(
                    f"{file}:{line}: {name}: expected each key once, found it again (first in line {seen[name]})"
                )
            seen[name] = line
            lines[(*path, name)] = f"{file}:{line}"
            _note_lines(value, (*path, name), file, lines)
    elif kind == "sequence":
        for index, item in enumerate(node.value):
            _note_lines(item, (*path, index), file, lines)


def parse[M: BaseModel](model: type[M], document: Document) -> M:
    """Validate a document. Every problem is one line with file, line and field."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise DefinitionError([problem for item in error.errors() for problem in _problems(item, document)]) from error


_EXPECTED = {
    "extra_forbidden": "expected no such field; correct its name or remove it",
    "missing": "expected this field, found nothing",
}
_YAML_SAYS = {  # how PyYAML's problems begin → what the writer of the file did
    "mapping values are not allowed here": "a field indented deeper than the one above it, or a second colon",
    "expected <block end>": "a line indented otherwise than its neighbours",
    "found character '\\t'": "a tab; indent with blanks",
    "expected ',' or": "a bracket that is never closed",
    "could not find expected ':'": "a line that is no field (name: value)",
}
_WORDS = (  # pydantic's words → those of a file's writer
    ("Value error, ", ""),
    ("Input should be ", "expected "),
    ("Input is not ", "expected "),
    (", unable to parse string as a number", ""),
    (", unable to parse string as an integer", ""),
    ("a valid tuple", "a list"),
)


def _said(error: "yaml.MarkedYAMLError") -> str:
    """What is wrong, in words for somebody who edits the file; PyYAML's own where we have none."""
    problem = str(error.problem)
    plain = next((words for begin, words in _YAML_SAYS.items() if problem.startswith(begin)), None)
    return f"{plain} ({problem})" if plain else problem


def _plain(message: str) -> str:
    """A message of pydantic as "expected …"."""
    for theirs, ours in _WORDS:
        message = message.replace(theirs, ours)
    return "expected a mapping of fields" if message.startswith("expected a valid dictionary") else message


def _problems(item: Mapping[str, Any], document: Document) -> list[Problem]:
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, InventoryProblems):
        return [document.located(problem) for problem in cause.problems]
    path = tuple(item["loc"])
    message = _EXPECTED.get(item["type"]) or _plain(item["msg"])
    found = item.get("input")
    if item["type"] not in _EXPECTED and isinstance(found, str | int | float | bool) and "found" not in message:
        message = f"{message}, found {found!r}"
    return [document.located(Problem(path, message))]

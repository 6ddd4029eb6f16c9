"""The gateways' configuration files: ordered lists and digests before, during and after, and the diff that was made."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from orchestrator.model.record import ConfigRecord
from orchestrator.report.context import Context
from orchestrator.report.tones import Tone

IN_FULL_ON_PAPER: Final = 12  # our choice: three pages; with more files, one row each
_HEADER_LINES: Final = 2  # of a unified diff; further down, `---` is a removed line that begins with `--`

DiffKind = Literal["added", "removed", "place", "same"]


@dataclass(frozen=True)
class DiffLine:
    kind: DiffKind
    text: str


@dataclass(frozen=True)
class Stage:
    """The file at one time."""

    title: str
    digest: str | None
    servers: tuple[str, ...]


@dataclass(frozen=True)
class Configuration:
    number: str
    title: str
    host: str
    path: str
    stages: tuple[Stage, ...]
    diff: tuple[DiffLine, ...]
    state: str
    tone: Tone


def configurations(context: Context) -> tuple[Configuration, ...]:
    return tuple(_configuration(context, item) for item in context.record.configurations)


def _configuration(context: Context, item: ConfigRecord) -> Configuration:
    texts = context.texts
    state, tone = _state(context, item)
    whose = "failback_" if context.record.plan.fails_back else ""
    return Configuration(
        number=context.number(item.gateway),
        title=context.gateway_title(item.gateway),
        host=item.host,
        path=item.path,
        stages=(
            Stage(texts(f"stage.{whose}before"), item.sha256_before, _servers(context, item.list_before)),
            Stage(texts(f"stage.{whose}during"), item.sha256_during, _servers(context, item.list_during)),
            Stage(texts(f"stage.{whose}after"), item.sha256_after, _servers(context, item.list_after)),
        ),
        diff=tuple(_diff(item.diff)),
        state=state,
        tone=tone,
    )


def _servers(context: Context, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(context.front(name) for name in names)


def _state(context: Context, item: ConfigRecord) -> tuple[str, Tone]:
    """Restored means the same bytes as before: equal digests, both of them seen."""
    if item.sha256_before is None or item.sha256_after is None:
        return context.texts("configuration.unproved"), "unknown"
    if item.sha256_before != item.sha256_after:
        return context.texts("configuration.differs"), "bad"
    same = item.sha256_during == item.sha256_before
    return context.texts("configuration.untouched" if same else "configuration.restored"), "good"


def _diff(lines: tuple[str, ...]) -> Iterator[DiffLine]:
    for index, line in enumerate(lines):
        header = index < _HEADER_LINES and line.startswith(("---", "+++"))
        if header or line.startswith("@@"):
            yield DiffLine("place", line)
        elif line.startswith("+"):
            yield DiffLine("added", line)
        elif line.startswith("-"):
            yield DiffLine("removed", line)
        else:
            yield DiffLine("same", line)

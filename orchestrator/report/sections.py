"""Which sections a report has, in which order, under which number."""

from dataclasses import dataclass
from typing import Final

from orchestrator.report.context import Context
from orchestrator.report.texts import Language

MAIN: Final = (
    "conclusion",
    "basis",
    "people",
    "scope",
    "preparation",
    "execution",
    "deviations",
    "network",
    "verification",
    "objectives",
    "interlocks",
    "restoration",
    "evaluation",
    "findings",
    "revision",
    "evidence",
    "signoff",
)
ANNEXES: Final = ("clauses", "truth", "steps", "instruments")
_NUMERALS: Final = tuple("一二三四五六七八九十") + tuple(f"十{digit}" for digit in "一二三四五六七")
_ANNEX_NUMERALS: Final = "甲乙丙丁"


@dataclass(frozen=True)
class Section:
    id: str
    number: str
    title: str

    @property
    def template(self) -> str:
        return f"{self.id}.html.j2"


def sections(context: Context) -> tuple[Section, ...]:
    """Only a rehearsal has ground truth; every other section is in every report, if only to say it is empty."""
    annexes = [name for name in ANNEXES if name != "truth" or context.record.ground_truth is not None]
    return (
        *(_section(context, name, _number(context.language, index)) for index, name in enumerate(MAIN)),
        *(_section(context, name, _annex(context.language, index)) for index, name in enumerate(annexes)),
    )


def _section(context: Context, name: str, number: str) -> Section:
    return Section(name, number, context.texts(f"section.{name}"))


def _number(language: Language, index: int) -> str:
    return f"{_NUMERALS[index]}、" if language == "zh" else f"{index + 1}. "


def _annex(language: Language, index: int) -> str:
    return f"附录{_ANNEX_NUMERALS[index]}　" if language == "zh" else f"Annex {'ABCD'[index]}. "

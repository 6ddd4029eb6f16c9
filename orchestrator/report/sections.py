"""Which sections a report has, in which order, under which number."""

from dataclasses import dataclass
from typing import Final

from orchestrator.report.context import Context
from orchestrator.report.interruptions import any_interruption
from orchestrator.report.texts import Language

MAIN: Final = (
    "conclusion",
    "scope",
    "timeline",
    "interruptions",
    "network",
    "gateways",
    "objectives",
    "checks",
    "interlocks",
    "configurations",
    "restoration",
    "clauses",
    "limits",
)
ANNEXES: Final = ("truth", "steps", "instruments", "digests")
_NUMERALS: Final = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二", "十三")
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
    """Only a rehearsal has ground truth, and only some runs were interrupted; every other section is in every report,
    if only to say it is empty.
    """
    main = [name for name in MAIN if name != "interruptions" or any_interruption(context.record)]
    annexes = [name for name in ANNEXES if name != "truth" or context.record.ground_truth is not None]
    return (
        *(_section(context, name, _number(context.language, index)) for index, name in enumerate(main)),
        *(_section(context, name, _annex(context.language, index)) for index, name in enumerate(annexes)),
    )


def _section(context: Context, name: str, number: str) -> Section:
    return Section(name, number, context.texts(f"section.{name}"))


def _number(language: Language, index: int) -> str:
    return f"{_NUMERALS[index]}、" if language == "zh" else f"{index + 1}. "


def _annex(language: Language, index: int) -> str:
    return f"附录{_ANNEX_NUMERALS[index]}　" if language == "zh" else f"Annex {'ABCD'[index]}. "

"""The texts of the printed runbook, in Chinese and in English. A key without a text is our bug and raises."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter

from orchestrator.model.base import Title
from orchestrator.model.packaged import packaged_yaml
from orchestrator.report.texts import Language

_JOINT = {"zh": "、", "en": ", "}


@cache
def catalogue() -> dict[str, Title]:
    """Every text by its key `group.name`."""
    groups = TypeAdapter(dict[str, dict[str, Title]]).validate_python(packaged_yaml("report", "runbook_texts.yml"))
    return {f"{group}.{name}": title for group, titles in groups.items() for name, title in titles.items()}


@dataclass(frozen=True)
class RunbookTexts:
    """The catalogue in one language."""

    language: Language

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, with its {placeholders} filled in."""
        text = self.of(catalogue()[key])
        return text.format(**values) if values else text

    def of(self, title: Title) -> str:
        return title.zh if self.language == "zh" else title.en

    def joined(self, items: Iterable[str]) -> str:
        return _JOINT[self.language].join(items)

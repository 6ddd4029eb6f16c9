"""The catalogue of every text that a report prints, in Chinese and in English.

A key without a text is our bug and raises; a text is never made up from a key.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydantic import TypeAdapter

from orchestrator.model.base import Title
from orchestrator.model.packaged import packaged_yaml

Language = Literal["zh", "en"]

_JOINT = {"zh": "、", "en": ", "}
_JOINT_OF_PARTS = {"zh": "；", "en": "; "}
_STOP = {"zh": "。", "en": ". "}


@cache
def catalogue() -> dict[str, Title]:
    """Every text by its key `group.name`."""
    groups = TypeAdapter(dict[str, dict[str, Title]]).validate_python(packaged_yaml("report", "texts.yml"))
    return {f"{group}.{name}": title for group, titles in groups.items() for name, title in titles.items()}


@cache
def phrases() -> tuple[re.Pattern[str], dict[str, str]]:
    """What is said in English only → Chinese, and the pattern that finds it, longest phrase first."""
    known = TypeAdapter(dict[str, str]).validate_python(packaged_yaml("report", "phrases.yml"))
    longest_first = sorted(known, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(?![\w-])"), known


_OF_A_CHECK = re.compile(r"\A(?P<check>[a-z-]+): expected (?P<expected>.*), found (?P<found>.*)\Z", re.DOTALL)


@dataclass(frozen=True)
class Texts:
    """The catalogue in one language."""

    language: Language

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, with its {placeholders} filled in."""
        return self.of(catalogue()[key]).format(**values)

    def of(self, title: Title) -> str:
        """A bilingual title in this language."""
        return title.zh if self.language == "zh" else title.en

    def named(self, group: str, name: str) -> str:
        """The text of an id that a site may have added to (a check suite): its own id if the catalogue has none."""
        return self(f"{group}.{name}") if f"{group}.{name}" in catalogue() else name

    def said(self, text: str) -> str:
        """Free text of a check or step: said in English; in Chinese as far as the phrases go."""
        if self.language == "en":
            return text
        pattern, known = phrases()
        return pattern.sub(lambda match: known[match[1]], _OF_A_CHECK.sub(self._of_a_check, text))

    def _of_a_check(self, found: re.Match[str]) -> str:
        """What a step says of a check that failed on its target."""
        return f"{self.named('check', found['check'])}：预期 {found['expected']}，实际 {found['found']}"

    def joined(self, items: Iterable[str]) -> str:
        """An enumeration as this language writes it."""
        return _JOINT[self.language].join(items)

    @property
    def joint(self) -> str:
        """What stands between the parts of one sentence."""
        return _JOINT_OF_PARTS[self.language]

    @property
    def stop(self) -> str:
        """What stands between two sentences."""
        return _STOP[self.language]

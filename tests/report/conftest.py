"""Every variant of a run, rendered once per language."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import pytest

from orchestrator.model.record import RunRecord
from orchestrator.report.render import render
from orchestrator.report.texts import Language
from tests.report import record_example
from tests.report.page import Page

VARIANTS: Final[dict[str, Callable[[], RunRecord]]] = {
    "passed": record_example.passed,
    "failed": record_example.failed,
    "observed": record_example.observed,
    "carrier": record_example.carrier,
    "beijing": record_example.beijing,
    "host": record_example.host,
    "incident": record_example.incident,
    "not_started": record_example.not_started,
    "interrupted": record_example.interrupted,
    "documented": record_example.documented,
    "large": record_example.large,
    "hostile": record_example.hostile,
}


@dataclass(frozen=True)
class Rendered:
    """One report as a reader gets it."""

    variant: str
    language: Language
    record: RunRecord
    html: str

    @cached_property
    def page(self) -> Page:
        return Page.of(self.html)


@cache
def rendered(variant: str, language: Language) -> Rendered:
    record = VARIANTS[variant]()
    return Rendered(variant, language, record, render(record, language))


@pytest.fixture(params=[(name, language) for name in VARIANTS for language in ("zh", "en")], ids="-".join)
def report(request: pytest.FixtureRequest) -> Rendered:
    """Each variant in each language."""
    return rendered(*request.param)

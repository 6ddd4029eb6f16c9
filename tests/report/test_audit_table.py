"""The audit of the day in a report: what is violated first, with its age, who bears it, and what to do."""

from datetime import date, timedelta

import pytest

from orchestrator.model.audit import AuditRecord, Finding, Result, Severity, Waived
from orchestrator.model.base import Title
from orchestrator.model.record import RunRecord
from orchestrator.report.audit_table import ROWS_SHOWN, audit_shown
from orchestrator.report.context import Context
from orchestrator.report.render import render
from orchestrator.report.texts import Language
from tests.report.test_paths import record

DAY = date(2026, 11, 22)


def finding(
    number: int, result: Result, severity: Severity = Severity.WARNING, waived: Waived | None = None
) -> Finding:
    return Finding(
        rule="peak-use",
        clause="SSCC-3.2a",
        severity=severity,
        result=result,
        where=f"lines.l-{number}.bandwidth_mbps",
        text=Title(zh=f"线路 {number} 说明。", en=f"Line {number} said."),
        mend=Title(zh="扩容。", en="Widen it."),
        waived=waived,
        first_seen=DAY - timedelta(days=number) if result is Result.VIOLATED else None,
    )


def audited(*found: Finding) -> RunRecord:
    return record().model_copy(update={"audit": AuditRecord.of(DAY, found)})


def test_what_is_violated_stands_first_with_its_age_and_what_to_do() -> None:
    borne = Waived(reason="ordered", by="Zhang", until=date(2026, 12, 31))
    found = audited(
        finding(1, Result.SATISFIED),
        finding(2, Result.NOT_JUDGED),
        finding(3, Result.VIOLATED, waived=borne),
        finding(4, Result.VIOLATED),
        finding(5, Result.VIOLATED, Severity.ERROR),
    )
    shown = audit_shown(Context(found, "zh"))
    assert shown is not None
    assert [(row.where.split(".")[1], *row.state) for row in shown.rows] == [
        ("l-5", "须整改", "bad"),
        ("l-4", "提示", "warn"),
        ("l-3", "已豁免", "warn"),
        ("l-2", "无法判定", "warn"),
    ]
    assert shown.rows[0].more == ("整改：扩容。", "首次发现 2026-11-17，已 5 天")
    assert shown.rows[2].more[0] == "由 Zhang 豁免至 2026-12-31：ordered"
    assert [text for text, _ in shown.counts] == ["不符合 2", "无法判定 1", "已豁免 1", "符合 1"]


def test_a_long_audit_is_cut_and_says_so() -> None:
    shown = audit_shown(Context(audited(*(finding(n, Result.NOT_JUDGED) for n in range(ROWS_SHOWN + 2))), "en"))
    assert shown is not None
    assert (len(shown.rows), shown.hidden) == (ROWS_SHOWN, 2)


@pytest.mark.parametrize(("language", "none"), [("zh", "未作合规自查"), ("en", "No audit was made")])
def test_a_report_has_it_or_says_that_there_is_none(language: Language, none: str) -> None:
    assert none in render(record(), language)
    page = render(audited(finding(4, Result.VIOLATED)), language)
    assert none not in page
    assert "lines.l-4.bandwidth_mbps" in page


def test_a_record_of_before_there_was_an_audit_stays_as_it_was() -> None:
    assert "audit" not in record().model_dump(mode="json")

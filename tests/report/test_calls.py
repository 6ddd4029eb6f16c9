"""The log of calls in a report: each call with its answer, in both languages; nothing where nobody noted any."""

from orchestrator.model.base import Title
from orchestrator.model.record import CallRecord
from orchestrator.report.calls import call_rows, paired
from orchestrator.report.context import Context
from orchestrator.report.hours import hours_in_words
from orchestrator.report.render import render, run_json
from orchestrator.report.texts import Language, Texts
from tests.report import record_example
from tests.report.record_example import START, site

SSCC = Title(zh="深圳证券通信有限公司", en="Shenzhen Securities Communication")


def call(did: str, contact: str, after_s: float, **more: str) -> CallRecord:
    fields = {"contact": contact, "name": SSCC, "did": did, "by": "li", "at": START + after_s, **more}
    return CallRecord.model_validate(fields)


CALLS = (
    call("placed", "sscc-network", 1),
    call("placed", "sscc-operations", 2, note="no <b>session</b> at Futian"),
    call("answered", "sscc-operations", 33, answered_by="Mr Zhou", note="they look"),
    call("answered", "order-system-vendor", 60, answered_by="Ms Wu"),
)


def context(language: Language) -> Context:
    return Context(record_example.passed().model_copy(update={"calls": CALLS}), language)


def test_an_answer_belongs_to_the_newest_call_to_the_same_contact() -> None:
    again = [*CALLS, call("placed", "sscc-network", 40), call("answered", "sscc-network", 50, answered_by="x")]
    assert [[item.at - START for item in row] for row in paired(again)] == [[1], [2, 33], [40, 50], [60]]


def test_the_report_shows_who_called_whom_and_who_answered_when() -> None:
    network, operations, vendor = call_rows(context("en"))
    assert (network.placed, network.placed_by, network.answered) == (
        "09:30:01.123",
        "Li Hua (example) (li)",
        "no answer noted",
    )
    assert (operations.whom, operations.answered, operations.answered_by) == (
        SSCC.en,
        "09:30:33.123",
        "Mr Zhou (noted by Li Hua (example) (li))",
    )
    assert operations.note == "no <b>session</b> at Futian; they look"
    assert (vendor.placed, vendor.answered_by[:5]) == ("not noted", "Ms Wu")


def test_it_stands_in_the_section_on_people_and_only_where_there_is_any() -> None:
    for language, heading in (("zh", "<h3>通话记录</h3>"), ("en", "<h3>Calls</h3>")):
        html = render(context(language).record, language)  # type: ignore[arg-type] # both are languages
        section = html.partition('<section id="people">')[2].partition("</section>")[0]
        assert heading in section
        assert "no &lt;b&gt;session&lt;/b&gt; at Futian" in section
        assert heading not in render(record_example.passed(), language)  # type: ignore[arg-type]


def test_the_record_can_be_read_back_with_its_calls_and_hours() -> None:
    record = context("en").record
    assert type(record).model_validate_json(run_json(record)) == record
    assert '"from": "08:30"' in run_json(record)


def test_hours_are_said_in_both_languages() -> None:
    contacts = {item.id: item for item in site().topology.people.contacts}
    said = {
        name: [hours_in_words(Texts(language), contacts[name]) for language in ("zh", "en")]
        for name in ("sscc-operations", "sscc-network", "sse-certificates", "sse-technology", "order-system-vendor")
    }
    assert said == {
        "sscc-operations": ["每日 00:00 至 24:00", "daily 00:00–24:00"],
        "sscc-network": ["工作日 08:30 至 17:00", "working days 08:30–17:00"],
        "sse-certificates": ["以服务指南为准", "as the service guide says"],
        "sse-technology": ["服务时间未知", "hours unknown"],
        "order-system-vendor": [
            "工作日 08:00 至 20:00；周六 08:30 至 17:30",
            "working days 08:00–20:00; Saturday 08:30–17:30",
        ],
    }

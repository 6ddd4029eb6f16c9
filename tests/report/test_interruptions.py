"""The section on interruptions: there only where there are any, and complete then."""

import re
from io import StringIO

import pytest
from rich.console import Console

from orchestrator.model.event import Outcome
from orchestrator.model.plan import Phase
from orchestrator.model.record import RunRecord
from orchestrator.report import timeline
from orchestrator.report.context import Context
from orchestrator.report.headline import headline
from orchestrator.report.terminal import summary
from orchestrator.report.texts import Language
from tests.report import record_example
from tests.report.conftest import Rendered, rendered

PLANNED = (Outcome.SUCCEEDED, Outcome.UNDONE, Outcome.SKIPPED, Outcome.WOULD_CHANGE)
WORDS: dict[Language, tuple[str, ...]] = {
    "zh": (
        "中断与恢复",
        "执行程序中断",
        "等待人工决定",
        "2.600 秒",
        "第 1 批次修改通信服务器列表",
        "由人工决定认定；重做：W100210",
        "按步骤预定方式处理",
        "中断时没有正在执行的步骤",
        "已生效",
        "李华（示例） (li)、王芳（示例） (wang)",
        "seen on its screen",
        "张明（示例） (zhang)",
    ),
    "en": (
        "Interruptions",
        "orchestrator lost",
        "waited for a person",
        "2.600 s",
        "repoint wave 1",
        "by a person's decision; done again: W100210",
        "by the step's declared policy",
        "no step was under way",
        "Li Hua (example) (li), Wang Fang (example) (wang)",
        "seen on its screen",
        "Zhang Ming (example) (zhang)",
    ),
}


def section(found: Rendered) -> str:
    return found.html.partition('<section id="deviations">')[2].partition("</section>")[0]


def test_only_a_run_that_was_interrupted_speaks_of_it(report: Rendered) -> None:
    record = report.record
    heading = "<h3>中断与恢复</h3>" if report.language == "zh" else "<h3>Interruptions</h3>"
    assert (heading in section(report)) is bool(record.interruptions)


def test_a_run_that_went_by_its_plan_says_so_and_no_other_does(report: Rendered) -> None:
    record = report.record
    said = "本次运行按预案执行，无中断" if report.language == "zh" else "The run went by its plan"
    odd = [step for step in record.steps if step.attempt > 1 or step.outcome not in PLANNED]
    away = record.interruptions or record.decisions or record.aborts
    assert (said in section(report)) is (bool(record.steps) and not away and not odd)


def test_every_section_has_a_number_of_its_own(report: Rendered) -> None:
    numbers = re.findall(r'<span class="section-number">(.*?)</span>', report.html)
    assert len(set(numbers)) == len(numbers) == 17 + 3 + (report.record.ground_truth is not None)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_tells_when_for_how_long_what_was_open_and_how_it_was_settled(language: Language) -> None:
    text = section(rendered("interrupted", language)).replace("&#39;", "'")
    assert [word for word in WORDS[language] if word not in text] == []
    assert ">site<" not in text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_abort_alone_speaks_of_no_span_of_time(language: Language) -> None:
    text = section(rendered("hostile", language))
    table = text.partition("<table")[2].partition("</table>")[0]
    assert table.count("<tr>") == 2, "a row of headings, and the abort"
    assert ("没有执行程序在运行" in text, "Nobody was at work" in text) == (False, False)


@pytest.mark.parametrize(("language", "said"), [("zh", "执行期间中断 1 次"), ("en", "interrupted 1×")])
def test_the_conclusion_and_the_terminal_say_it_in_one_line(language: Language, said: str) -> None:
    record = record_example.interrupted()
    assert said in headline(Context(record, language)).paragraph
    console = Console(width=160, record=True, file=StringIO())
    console.print(summary(record, language))
    assert said in console.export_text()
    assert said not in headline(Context(record_example.carrier(), language)).paragraph


def drawn(record: RunRecord) -> tuple[str, str]:
    context = Context(record, "en")
    return str(timeline.phases(context)), str(timeline.gateways(context))


def test_both_pictures_of_time_show_the_gap_as_a_hatched_band() -> None:
    phases, gateways = drawn(record_example.interrupted())
    assert phases.count('class="gap"') == 2
    assert phases.count('class="hatch"') > 4
    assert gateways.count('class="gap"') == 1, "the other one lies after what the picture shows"
    assert all('class="gap"' not in picture for picture in drawn(record_example.carrier()))


def test_a_phase_that_was_entered_twice_has_one_row_with_all_its_time() -> None:
    record = record_example.carrier()
    first = next(item for item in record.phases if item.phase is Phase.SWITCHING)
    middle = first.started_at + 1.0
    parts = (first.model_copy(update={"finished_at": middle}), first.model_copy(update={"started_at": middle + 1.5}))
    others = tuple(item for item in record.phases if item.phase is not Phase.SWITCHING)
    phases, _ = drawn(record.model_copy(update={"phases": (*parts, *others)}))
    assert (phases.count(">Switching<"), phases.count('class="phase"')) == (1, len(record.phases) + 1)
    assert ">3.000 s<" in phases

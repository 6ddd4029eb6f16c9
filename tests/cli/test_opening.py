"""How a run is opened: its own copy of the inventory, its locks, and waiting for another run's."""

import hashlib
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.cli.conduct import Stage, put_back_in_service, take_out_of_service, when_free
from orchestrator.engine.run import locks_of
from orchestrator.errors import Refused
from orchestrator.loader.site import load_site
from orchestrator.model.base import Title
from orchestrator.model.plan import Fault, PathChange
from orchestrator.twin import Twin
from orchestrator.wiring.places import Place, Places, copy_of
from orchestrator.wiring.runs import OpenRun, open_run
from tests.cli.journals import NOWHERE, Left, left
from tests.report.record_example import plan_of, site


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): _sha(path) for path in files}


def test_a_run_has_exactly_the_files_that_its_site_was_read_from(tmp_path: Path) -> None:
    run = left(tmp_path)
    source = site().folder.parent
    named = {str(path.relative_to(source)): _sha(path) for path in site().files}
    assert digests(run.run.job.folder / "inventory") == named
    assert (run.run.site.digest, load_site(run.run.site.folder).digest) == (site().digest, site().digest)
    assert run.run.site.folder.is_relative_to(run.run.job.folder)
    with run.journal() as journal:
        state = journal.state(run.id)
    assert dict(state.place) == {
        "twin": "no-such-twin",
        "twin_pid": 1,
        "owned": True,
        "inventory": str(run.run.site.folder),
    }
    assert (Place.read(state.place), copy_of(state).digest) == (NOWHERE, site().digest)


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def opened(run: Left, name: str, place: Place = NOWHERE) -> OpenRun:
    with run.journal() as journal:
        return open_run(journal, site(), plan_of("single-centre-failure"), run.folder / "reports" / name, "li", place)


def test_what_another_run_has_locked_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    run = left(tmp_path)
    with pytest.raises(Refused, match=f"LOCKED.*{run.id} of wang") as error:
        opened(run, "second")
    assert error.value.code == "LOCKED"
    assert [path.name for path in (tmp_path / "reports").iterdir()] == [run.id]


def test_the_same_number_in_another_twin_is_another_thing(tmp_path: Path) -> None:
    run = left(tmp_path)
    for name, place in (("b", Place("other", 1, owned=False)), ("c", Place("no-such-twin", 2, owned=False))):
        assert opened(run, name, place).job.run == name
    with run.journal() as journal:
        assert len({*journal.locks(run.id), *journal.locks("b"), *journal.locks("c")}) == 3 * len(journal.locks(run.id))


def test_who_waits_goes_on_as_soon_as_the_locks_are_free(tmp_path: Path) -> None:
    run, heard = left(tmp_path), StringIO()
    stage = Stage(Places(tmp_path), Path("example"), "example", Console(file=heard, width=200), as_json=False)
    tries: list[str] = []

    def attempt() -> OpenRun:
        tries.append("x")
        if len(tries) == 2:
            run.close()
        return opened(run, "second")

    with pytest.raises(Refused, match="LOCKED"):
        when_free(stage, wait=False, attempt=attempt)
    assert when_free(stage, wait=True, attempt=attempt).job.run == "second"
    assert heard.getvalue() == ""
    assert len(tries) == 2


def test_who_waits_says_once_for_whom(tmp_path: Path) -> None:
    run, heard = left(tmp_path), StringIO()
    stage = Stage(Places(tmp_path), Path("example"), "example", Console(file=heard, width=200), as_json=False)
    tries: list[str] = []

    def attempt() -> OpenRun:
        tries.append("x")
        if len(tries) == 3:
            run.close()
        return opened(run, "second")

    assert when_free(stage, wait=True, attempt=attempt).job.run == "second"
    assert heard.getvalue().count(f"is held by run {run.id} of wang") == 1


@dataclass(frozen=True)
class Counting(Twin):
    """Only counts the faults that are on."""

    on: list[Fault] = field(default_factory=list)

    def inject(self, fault: Fault, lease_s: float, run: str | None = None, epoch: int | None = None) -> None:
        del lease_s, run, epoch
        self.on.append(fault)

    def lift(self, fault: Fault, run: str | None = None, epoch: int | None = None) -> None:
        del run, epoch
        self.on.remove(fault)


def test_lines_that_were_down_before_are_down_as_long_as_the_run_lasts(tmp_path: Path) -> None:
    job = left(tmp_path).run.job
    down = replace(job, plan=job.plan.model_copy(update={"out_of_service": ("uni-southern",)}))
    twin = Counting("t", Path(), Path(), "", 1)
    take_out_of_service(job, twin)
    assert twin.on == []
    take_out_of_service(down, twin)
    assert [fault.lines for fault in twin.on] == [("uni-southern",)]
    put_back_in_service(down, twin)
    assert twin.on == []


def test_a_router_whose_path_moves_is_locked() -> None:
    plan, said = plan_of("single-centre-failure"), Title(zh="改走", en="moves")
    path = PathChange(router="ce-b", centre="futian", line_before="tel-futian", line_after="uni-futian", reason=said)
    assert "host:ce-b" not in locks_of(plan, site().topology)
    assert "host:ce-b" in locks_of(plan.model_copy(update={"paths": (path,)}), site().topology)

"""The samples file is read back as it was heard."""

from io import FileIO
from pathlib import Path

from orchestrator.adapters.recording import Recording, Tail, read_observations
from orchestrator.model.event import LogStamp, RouteSample, Sample
from orchestrator.ports import Observations

SAMPLE = Sample(
    gateway="g", host="h", at=1.5, mono=2.5, running=True, endpoints=("127.0.0.1:1",), session="127.0.0.1:1"
)
ROUTE = RouteSample(router="r", at=1, mono=2, lines={"futian": "a", "southern": None})
STAMP = LogStamp(gateway="g", at=3.25, event="lost")


def written(folder: Path) -> Path:
    recording = Recording(folder)
    recording.add(connection={"host": "h", "at": 1, "state": "up", "reason": ""})
    recording.add(sample=SAMPLE.model_dump(mode="json"))
    recording.add(route=ROUTE.model_dump(mode="json"), hops={"futian": "127.0.0.1"})
    recording.add(stamp=STAMP.model_dump(mode="json"))
    recording.close()
    return recording.path


def test_everything_recorded_is_read_back_the_same(tmp_path: Path) -> None:
    found = read_observations(written(tmp_path))
    assert (list(found.samples), list(found.routes), list(found.stamps)) == ([SAMPLE], [ROUTE], [STAMP])


def test_what_samples_say_again_and_again_is_kept_once(tmp_path: Path) -> None:
    """A run of hundreds of gateways has hundreds of thousands of them."""
    written(tmp_path)
    first, second = read_observations(written(tmp_path)).samples
    assert first == second == SAMPLE
    assert first.endpoints is second.endpoints
    assert first.session is second.session
    assert first.model_fields_set is second.model_fields_set


def test_a_line_cut_off_by_a_crash_is_left_out_and_the_others_are_kept(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    found = read_observations(path)
    assert (list(found.samples), list(found.stamps)) == ([SAMPLE], [])


def test_a_later_recording_adds_to_the_file(tmp_path: Path) -> None:
    written(tmp_path)
    assert len(read_observations(written(tmp_path)).samples) == 2


def test_after_a_line_that_was_cut_off_the_next_one_is_a_line_of_its_own(tmp_path: Path) -> None:
    """Also in the middle of a character."""
    path = written(tmp_path)
    recording = Recording(tmp_path)
    recording.add(connection={"host": "h", "at": 1, "state": "lost", "reason": "中断"})
    recording.close()
    path.write_bytes(path.read_bytes()[: -len('断"}}\n'.encode()) + 1])
    recording = Recording(tmp_path)
    recording.add(sample=SAMPLE.model_dump(mode="json"))
    recording.close()
    assert list(read_observations(path).samples) == [SAMPLE, SAMPLE]


def test_a_stamp_that_was_reported_again_is_one_stamp(tmp_path: Path) -> None:
    written(tmp_path)
    assert list(read_observations(written(tmp_path)).stamps) == [STAMP]


def test_reading_along_gives_each_whole_line_once(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.touch()
    with FileIO(path) as file:
        tail = Tail(file)
        found = []
        for piece in (b'{"clock":1', b'}\n{"other":', b"2}\nnonsense\n", b'{"clock":3}\n{"clo'):
            with path.open("ab") as writer:
                writer.write(piece)
            found.append(list(tail.read()))
    assert found == [[], [{"clock": 1}], [{"other": 2}], [{"clock": 3}]]


def test_only_the_kinds_that_are_asked_for_are_read(tmp_path: Path) -> None:
    with FileIO(written(tmp_path)) as file:
        assert [list(heard) for heard in Tail(file).read("stamp", "connection")] == [["connection"], ["stamp"]]


def test_a_run_that_never_measured_has_no_observations(tmp_path: Path) -> None:
    assert read_observations(tmp_path / "samples.jsonl") == Observations([], [], [])

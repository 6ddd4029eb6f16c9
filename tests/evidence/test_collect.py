"""What a pack holds: everything that it promises, as the journal has it, and nothing that is not allowed."""

import hashlib
import json
import shutil
import stat
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

from orchestrator.errors import Refused
from orchestrator.evidence import readme
from orchestrator.evidence.artefacts import RESULT_FIELDS, allowed, plays
from orchestrator.evidence.collect import collect
from orchestrator.evidence.manifest import is_name
from orchestrator.evidence.sends import sends
from orchestrator.journal.chain import chain_is_valid
from orchestrator.model.event import CheckResult, Event
from orchestrator.model.plan import Phase
from orchestrator.model.record import RunRecord
from tests.evidence.runs import DEFINITION, GATEWAY, Run, bytes_of, checked, configuration
from tests.judge.story import Story, record, waiting
from tests.support.sites import ROOT

HOSTS = frozenset({"gw-a1", "gw-a2"})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


@pytest.fixture
def pack(run: Run, tmp_path: Path) -> Path:
    return run.collect(tmp_path / "pack")


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def artefact(run: Run, call: str, *events: dict[str, Any], status: str = "successful") -> None:
    """What ansible-runner leaves of one call."""
    folder = run.folder / "steps" / call / "ansible"
    (folder / "artifacts/a1/job_events").mkdir(parents=True)
    (folder / "artifacts/a1/status").write_text(status)
    play = {"project": str(ROOT / "playbooks"), "playbook": "state.yml"}
    (folder / "play.json").write_text(json.dumps(play))
    for event in events:
        path = folder / f"artifacts/a1/job_events/{event['counter']}-x.json"
        path.write_text(json.dumps(event))


def event(counter: int = 7, kind: str = "runner_on_ok", **data: Any) -> dict[str, Any]:
    whole = {
        "host": "gw-a1",
        "task": "Read the state",
        "task_action": "onhost",
        "resolved_action": "onhost",
        "task_path": f"{ROOT}/playbooks/roles/site_state/tasks/read.yml:2",
        "start": "2026-11-22T09:27:02.111743+00:00",
        "end": "2026-11-22T09:27:03.011868+00:00",
        "duration": 0.900125,
        "res": {"changed": True, "results": [{"op": "state", "gateway": GATEWAY, "outcome": "succeeded"}]},
    }
    return {
        "counter": counter,
        "event": kind,
        "created": "2026-11-22T09:27:03.014223+00:00",
        "event_data": {**whole, **data},
    }


def told(**data: Any) -> dict[str, Any]:
    found = allowed(event(**data), ROOT / "playbooks", HOSTS, str)
    assert found is not None
    return found


# The whole -------------------------------------------------------------------------------------------


def test_every_file_has_its_line_in_the_readme_and_every_line_its_file(run: Run, tmp_path: Path) -> None:
    artefact(run, "snapshot-1", event())
    names = set(bytes_of(run.collect(tmp_path / "pack")))
    collected = [pattern for pattern, is_collected in readme.patterns().items() if is_collected]
    assert {name for name in names if not any(fnmatchcase(name, pattern) for pattern in collected)} == set()
    wanted = [pattern for pattern in collected if not pattern.startswith("people/statements/")]  # a rehearsal has none
    assert [pattern for pattern in wanted if not any(fnmatchcase(name, pattern) for name in names)] == []
    assert [name for name in names if not is_name(name)] == []


def test_the_same_run_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    artefact(run, "snapshot-1", event())
    assert bytes_of(run.collect(tmp_path / "a")) == bytes_of(run.collect(tmp_path / "b"))


def test_the_journal_is_whole_and_its_chain_holds(run: Run, pack: Path) -> None:
    lines = (pack / "journal/events.jsonl").read_bytes().splitlines()
    found = [Event.model_validate_json(line) for line in lines]
    assert found == run.events()
    assert chain_is_valid(found)


def test_run_json_meets_the_schema_beside_it(run: Run, pack: Path) -> None:
    jsonschema.validate(read(pack / "run.json"), read(pack / "run.schema.json"))
    assert RunRecord.model_validate_json((pack / "run.json").read_bytes()) == run.record()


def test_the_plan_is_what_its_digest_was_made_over(run: Run, pack: Path) -> None:
    assert hashlib.sha256((pack / "plan/plan.json").read_bytes()).hexdigest() == run.record().plan_digest


def test_from_the_digests_of_its_files_follows_that_of_the_inventory(run: Run, pack: Path) -> None:
    files = read(pack / "plan/digests.json")["inventory_files_before_redaction"]
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(Path(name).name.encode() + b"\0" + bytes.fromhex(files[name]))
    assert whole.hexdigest() == run.record().plan.inventory_digest


def test_the_readmes_say_what_was_only_rehearsed(run: Run, pack: Path) -> None:
    assert "仿真预演" in (pack / "README.zh.txt").read_text("utf-8")
    assert "never counts as a drill held" in (pack / "README.en.txt").read_text("utf-8")
    real = run.record().model_copy(update={"simulated": False})
    assert "never counts" not in readme.text("en", real)


def test_clock_interlocks_and_findings_are_those_of_the_record(run: Run, pack: Path) -> None:
    assert read(pack / "clock.json")["host_minus_controller"]["before"] == {"gw-a1": 0.5}
    assert len(read(pack / "interlocks.json")) == len(run.record().interlocks)
    assert read(pack / "findings.json") == {"of_this_run": [], "of_earlier_runs": []}


def test_who_was_to_be_called_stands_with_when_and_why(tmp_path: Path) -> None:
    story = Story()
    story.after = {"repoint-1": [waiting("repoint-1", 12.0, GATEWAY)]}
    pack = Run(tmp_path / "run", story).collect(tmp_path / "pack")
    [call] = read(pack / "people/calls.json")["to_be_called"]
    assert (call["step"], list(call["targets"]), call["event"] > 0) == ("repoint-1", [GATEWAY], True)
    assert read(pack / "people/calls.json")["contacts"][0]["source"] == "SSCC-5.5"


# Checked before it is copied -------------------------------------------------------------------------


def test_a_journal_that_was_changed_is_refused(run: Run, tmp_path: Path) -> None:
    events = run.events()
    forged = [*events[:5], events[5].model_copy(update={"data": {"forged": True}}), *events[6:]]
    for found in (forged, events[:-1], []):
        with pytest.raises(Refused, match=r"EVIDENCE_CHANGED: run r1: expected the .* events of its record"):
            collect(run.folder, tmp_path / "pack", run.record(), found)
    assert not (tmp_path / "pack").exists()


def test_a_configuration_that_is_not_the_journals_is_refused(run: Run, tmp_path: Path) -> None:
    path = run.folder / "configurations" / GATEWAY / "during.txt"
    path.write_text(configuration("forged"))
    with pytest.raises(Refused, match=r"during\.txt: expected the text with the digest .* found another"):
        run.collect(tmp_path / "pack")
    path.unlink()
    with pytest.raises(Refused, match=r"during\.txt: .* found none"):
        run.collect(tmp_path / "pack")


def test_fewer_samples_than_the_journal_has_counted_are_refused(run: Run, tmp_path: Path) -> None:
    path = run.folder / "samples.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    with pytest.raises(Refused, match=f"expected the {len(lines)} samples .* found {len(lines) - 1}"):
        run.collect(tmp_path / "pack")


def test_of_samples_known_lines_and_fields_are_copied(run: Run, tmp_path: Path) -> None:
    with (run.folder / "samples.jsonl").open("a") as file:
        file.write(
            '{"connection":{"host":"gw-a1","at":1.0,"state":"lost","reason":"said hunter22","more":"hunter22"}}\n'
        )
        file.write('{"other":"hunter22"}\nhunter22\n{"sample": {"gatew')
    pack = run.collect(tmp_path / "pack", text=lambda text: text.replace("hunter22", "[masked]"))
    data = (pack / "samples/samples.jsonl").read_text()
    assert "hunter22" not in data
    assert data.splitlines()[-1] == '{"connection":{"host":"gw-a1","at":1.0,"state":"lost","reason":"said [masked]"}}'


# Configurations --------------------------------------------------------------------------------------


def test_configurations_stand_with_what_changed_between_them(pack: Path) -> None:
    folder = pack / "configurations" / GATEWAY
    assert (folder / "before.txt").read_text() == configuration("x")
    diff = (folder / "changes.diff").read_text().splitlines()
    assert [line for line in diff if line.startswith(("+S", "-S"))] == [
        "-Server1 = 172.60.101.30:7043",
        "+Server1 = 172.50.101.30:7043",
        "-Server1 = 172.50.101.30:7043",
        "+Server1 = 172.60.101.30:7043",
    ]
    assert diff[-1] == f"= {GATEWAY}/before.txt and {GATEWAY}/after.txt are the same"


def test_without_captured_files_the_lists_stand(tmp_path: Path) -> None:
    data = {"previous": ["1.1.1.1:1"], "new": ["2.2.2.2:2"], "diff": {"before": ["1.1.1.1:1"], "after": ["2.2.2.2:2"]}}
    story = Story(returned={("repoint-1", GATEWAY): {**data, "changed": True}})
    pack = Run(tmp_path / "run", story, {}).collect(tmp_path / "pack")
    said = (pack / f"configurations/{GATEWAY}/changes.diff").read_text().splitlines()
    assert said[0] == f"{GATEWAY}: server list only, the file was not captured"


# The inventory ---------------------------------------------------------------------------------------


def test_of_hosts_yml_only_how_a_host_is_reached_stays(run: Run, tmp_path: Path) -> None:
    path = run.folder / "inventory/example/hosts.yml"
    text = path.read_text("utf-8").replace(
        "ansible_user: gwops",
        'ansible_user: gwops  # hunter22\n        ansible_password: "hunter22#x"\n        note: |\n          hunter22\n'
        "        list: [hunter22, {deep: hunter22}]\n        vaulted: !vault hunter22",
    )
    path.write_text(text, "utf-8")
    found = (run.collect(tmp_path / "pack") / "plan/inventory/example/hosts.yml").read_text("utf-8")
    assert "hunter22" not in found
    data = yaml.load(found, Loader=yaml.BaseLoader)  # noqa: S506 - texts only
    variables = data["all"]["children"]["gateway_hosts"]["vars"]
    assert variables["ansible_user"] == "gwops"
    assert set(variables) == {"ansible_user", "ansible_password", "note", "list", "vaulted"}
    assert variables["ansible_password"].startswith("hmac:")
    assert data["all"]["children"]["gateway_hosts"]["hosts"]["gw-a1"] == {"ansible_host": "198.18.1.11"}


def test_the_rest_of_the_inventory_stays_but_for_its_comments(run: Run, pack: Path) -> None:
    for name in ("topology.yml", "profiles.yml", "people.yml"):
        original = (run.folder / "inventory/example" / name).read_text("utf-8")
        found = (pack / "plan/inventory/example" / name).read_text("utf-8")
        assert yaml.safe_load(found) == yaml.safe_load(original)
        assert found.count("# hmac:") == sum(1 for line in original.splitlines() if _comment(line))


def _comment(line: str) -> bool:
    return bool(line.partition("# ")[2]) and '"#' not in line


def test_the_definition_stays_but_for_its_comments(pack: Path) -> None:
    found = yaml.safe_load((pack / "plan/definition.yml").read_text("utf-8"))
    assert found == yaml.safe_load(DEFINITION.read_text("utf-8"))


def test_the_key_is_private_and_not_in_the_pack(run: Run, pack: Path) -> None:
    path = run.folder / "redaction.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = path.read_text().strip()
    assert [name for name, data in bytes_of(pack).items() if key.encode() in data or bytes.fromhex(key) in data] == []


# Checks ----------------------------------------------------------------------------------------------


def test_the_checks_stand_as_junit_by_phase(tmp_path: Path) -> None:
    bad = record(Phase.VERIFYING, "login", GATEWAY, CheckResult.ABNORMAL).model_copy(update={"found": "a\x01<b>"})
    blind = record(Phase.VERIFYING, "tcp", GATEWAY, CheckResult.NOT_TESTED, blind=True)
    gap = record(Phase.VERIFYING, "data", GATEWAY, CheckResult.NO_SUCH_BUSINESS)
    pack = Run(tmp_path / "run", checked(bad, blind, gap)).collect(tmp_path / "pack")
    assert sorted(path.name for path in (pack / "checks").iterdir()) == [
        "baselining.junit.xml",
        "proving_restoration.junit.xml",
        "verifying.junit.xml",
    ]
    suite = ET.parse(pack / "checks/verifying.junit.xml").getroot()[0]  # noqa: S314 - our own
    assert [suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped")] == [
        "verifying",
        "4",
        "1",
        "1",
        "1",
    ]
    kinds = {case.get("classname"): [child.tag for child in case][1:] for case in suite}
    assert kinds == {"path": [], "login": ["failure"], "tcp": ["error"], "data": ["skipped"]}
    assert "a�<b>" in str([item.get("value") for item in suite.iter("property")])


# Ansible ---------------------------------------------------------------------------------------------


def test_an_event_says_who_did_what_where_when_and_how_it_ended(run: Run, tmp_path: Path) -> None:
    artefact(run, "snapshot-1", event(8), event(7, host="gw-a2"), event(9, "playbook_on_stats"))
    pack = run.collect(tmp_path / "pack")
    head, *events = [json.loads(line) for line in (pack / "ansible/snapshot-1.jsonl").read_text().splitlines()]
    assert head == {"call": "snapshot-1", "playbook": "state.yml", "status": "successful"}
    assert [item["counter"] for item in events] == [7, 8, 9]
    assert events[1] == {
        "counter": 8,
        "event": "runner_on_ok",
        "result": "ok",
        "host": "gw-a1",
        "action": "onhost",
        "at": "roles/site_state/tasks/read.yml:2",
        "started": "2026-11-22T09:27:02.111743+00:00",
        "ended": "2026-11-22T09:27:03.011868+00:00",
        "duration_s": 0.900125,
        "changed": True,
        "results": [{"op": "state", "gateway": GATEWAY, "outcome": "succeeded"}],
    }
    text = (pack / "ansible/snapshot-1.txt").read_text()
    assert "gw-a1  ok  onhost  roles/site_state/tasks/read.yml:2  0.900 s  changed" in text


def test_of_our_own_results_only_known_fields_stay_at_any_depth() -> None:
    answer = {
        "op": "state",
        "message": "said hunter22",
        "status": {"pw": "hunter22"},
        "redacted": "hunter22",
        "x": "hunter22",
    }
    found = allowed(
        event(res={"results": [{**answer, "last": answer}], "msg": "hunter22"}),
        ROOT / "playbooks",
        HOSTS,
        lambda text: text.replace("hunter22", "*"),
    )
    kept = {"op": "state", "message": "said *"}
    assert found is not None
    assert found["results"] == [{**kept, "last": kept}]


@pytest.mark.parametrize(
    "data",
    [
        {"host": "hunter22"},
        {"resolved_action": "Hunter22!", "task_action": "hunter22"},
        {"resolved_action": "ansible.builtin.debug", "res": {"results": [{"message": "hunter22"}], "msg": "hunter22"}},
        {"task": "hunter22", "name": "hunter22", "play": "hunter22", "role": "hunter22", "task_args": "hunter22"},
        {"task_path": "/hunter22/x.yml:1"},
        {"task_path": f"{ROOT}/playbooks/hunter22 .yml:1"},
        {"start": "hunter22", "end": "hunter22", "duration": "hunter22"},
        {"res": "hunter22"},
        {"res": {"diff": [{"before": "hunter22"}], "stdout": "hunter22", "invocation": {"x": "hunter22"}}},
        {"remote_addr": "hunter22", "hunter22": 1},
    ],
)
def test_nothing_else_of_an_event_stays(data: dict[str, Any]) -> None:
    assert "hunter22" not in json.dumps(told(**data)).lower()


def test_an_event_that_is_cut_off_or_of_another_kind_is_left_out(run: Run) -> None:
    artefact(
        run, "snapshot-1", event(7), event(8, "verbose"), {"counter": 9, "event": "runner_on_ok"}, status="hunter-22!"
    )
    folder = run.folder / "steps/snapshot-1/ansible"
    (folder / "artifacts/a1/job_events/10-x-partial.json").write_text('{"counter": 10, "ev')
    [play] = plays(run.folder / "steps", HOSTS, str)
    assert ([item["counter"] for item in play.events], play.status) == ([7], "unknown")


def test_a_call_that_was_prepared_and_never_begun_says_so(run: Run) -> None:
    artefact(run, "snapshot-1")
    shutil.rmtree(run.folder / "steps/snapshot-1/ansible/artifacts")
    [play] = plays(run.folder / "steps", HOSTS, str)
    assert (play.status, play.events) == ("never begun", ())


# What was sent to hosts --------------------------------------------------------------------------------


def sent(run: Run, call: str, *lines: str) -> None:
    """What our hands leave of one call, and its guard."""
    folder = run.folder / "steps" / call
    folder.mkdir(parents=True)
    (folder / "hands.json").write_text(
        json.dumps({"what": "repoint", "asked": {"gw-a1": [{"endpoints": ["hunter22"]}]}})
    )
    (folder / "output").write_text("".join(f"{line}\n" for line in lines))


def answered(host: str = "gw-a1", **fields: Any) -> str:
    result = {"op": "repoint", "gateway": GATEWAY, "outcome": "succeeded", "ok": True, "changed": True, "x": "hunter22"}
    whole = {"host": host, "ended": "exited", "returncode": 0, "answer": {"results": [result]}, "wrong": "hunter22"}
    return json.dumps({**whole, "took_s": 0.5, "at": 1_800_000_000.25, **fields})


def test_a_call_says_who_was_asked_what_when_and_how_it_ended(run: Run, tmp_path: Path) -> None:
    sent(run, "repoint-1-1", answered(), answered("gw-a2", returncode=255, answer=None), '{"status": "done"}')
    pack = run.collect(tmp_path / "pack")
    head, *events = [json.loads(line) for line in (pack / "hands/repoint-1-1.jsonl").read_text().splitlines()]
    assert head == {"call": "repoint-1-1", "playbook": "repoint", "status": "successful"}
    assert events[0] == {
        "counter": 1,
        "event": "answered",
        "result": "ok",
        "host": "gw-a1",
        "action": "onhost",
        "changed": True,
        "ended": "2027-01-15T08:00:00.250000+00:00",
        "duration_s": 0.5,
        "results": [{"op": "repoint", "gateway": GATEWAY, "outcome": "succeeded", "ok": True, "changed": True}],
    }
    assert (events[1]["host"], events[1]["result"], events[1]["changed"]) == ("gw-a2", "unreachable", False)
    text = (pack / "hands/repoint-1-1.txt").read_text()
    assert "gw-a1  ok  onhost  0.500 s  changed" in text
    assert "hunter22" not in json.dumps(events) + text


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"ended": "deadline", "returncode": -9, "answer": None}, "timed out"),
        ({"returncode": 1, "answer": None}, "no answer"),
        ({"answer": {"results": [{"outcome": "failed", "ok": False}]}}, "failed"),
        ({"answer": {"results": "?"}}, "no answer"),
    ],
)
def test_what_was_no_success_is_not_told_as_one(run: Run, fields: dict[str, Any], result: str) -> None:
    sent(run, "repoint-1-1", answered(**fields))
    [call] = sends(run.folder / "steps", HOSTS, str)
    assert [item["result"] for item in call.events] == [result]
    assert call.status == "never ended"


def test_a_line_of_a_call_that_is_cut_off_or_of_a_host_unknown_is_left_out(run: Run) -> None:
    sent(run, "repoint-1-1", answered("elsewhere"), "[1]", answered(), '{"host": "gw-a')
    [call] = sends(run.folder / "steps", HOSTS, str)
    assert [item["host"] for item in call.events] == ["gw-a1"]


def test_every_field_of_a_result_is_one_that_the_reference_names() -> None:
    reference = (ROOT / "docs/reference/on-host.md").read_text("utf-8")
    assert [name for name in sorted(RESULT_FIELDS) if f"`{name}`" not in reference] == []

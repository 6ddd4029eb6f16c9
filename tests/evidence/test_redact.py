"""Keyed digests on the controller: the run's key, values and comments of YAML, the same digest as on a host."""

import importlib
import stat
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import StepFailed
from orchestrator.evidence import redact
from orchestrator.evidence.redact import KEY_FILE, all_known, digest, key_of, redacted_yaml, run_key
from tests.support.sites import ROOT

KEY = b"\x01" * 32


def nothing(_path: tuple[str, ...], _value: str) -> bool:
    return False


def test_a_run_has_one_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    key = run_key(tmp_path)
    assert (len(key), run_key(tmp_path)) == (32, key)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    (tmp_path / "other").mkdir()
    assert run_key(tmp_path / "other") != key


def test_of_two_that_make_it_at_the_same_time_the_first_ones_key_stays(tmp_path: Path) -> None:
    """Both have seen that there is none yet."""
    first = run_key(tmp_path)
    redact._make(tmp_path / KEY_FILE)
    assert run_key(tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_key_that_cannot_be_read_or_made_stops_the_step(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="expected the run's redaction key"):
        run_key(tmp_path / "none")
    (tmp_path / KEY_FILE).write_text("no key\n")
    with pytest.raises(StepFailed, match="expected the run's redaction key"):
        run_key(tmp_path)


def test_the_keys_of_two_gateways_differ_and_are_not_the_runs() -> None:
    assert len({KEY, key_of(KEY, "nq-trade-1"), key_of(KEY, "nq-trade-2")}) == 3


@settings(deadline=None)
@given(st.text(), st.text())
def test_a_digest_is_the_one_that_the_host_makes(name: str, value: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "playbooks/onhost"))
        keyed = importlib.import_module("vendor_redaction")._Keyed(KEY)  # noqa: SLF001 - the same by contract
    try:
        value.encode(), name.encode()
    except UnicodeEncodeError:
        return
    assert digest(KEY, name, value) == keyed.of(name, value)


YAML = """\
# one
a: 1  # two
b: "x # no comment"
'c': [d, {e: f}]  #three
g: |  # four
  text # of g
  more
h: >-
  folded
i: &anchor secret
j: *anchor
k:
#
l: 'it''s'
"""


def test_comments_become_digests_and_values_stay() -> None:
    found = redacted_yaml(YAML, KEY, all_known)
    assert yaml.safe_load(found) == yaml.safe_load(YAML)
    assert found.count("# hmac:") == 4
    assert not any(word in found for word in ("one", "two", "three", "four"))


def test_values_that_are_not_known_become_digests_of_their_name_and_themselves() -> None:
    found = yaml.safe_load(redacted_yaml(YAML, KEY, lambda path, _value: path == ("a",)))
    assert found["a"] == 1
    assert found["b"] == digest(KEY, "b", "x # no comment")
    assert found["c"] == [digest(KEY, "c", "d"), {"e": digest(KEY, "e", "f")}]
    assert found["g"] == digest(KEY, "g", "text # of g\nmore\n")
    assert found["i"] == found["j"] == digest(KEY, "i", "secret")
    assert list(found) == list(yaml.safe_load(YAML))


SCALARS = st.text(alphabet="abc #:'\"{}[]!&*|>%@`,中\n\t", max_size=12) | st.integers() | st.booleans() | st.none()
DATA = st.dictionaries(
    st.text(alphabet="abc中", min_size=1, max_size=6),
    st.recursive(SCALARS, lambda item: st.lists(item, max_size=3) | st.dictionaries(st.text("xyz", min_size=1), item)),
    min_size=1,
    max_size=4,
)


@settings(deadline=None)
@given(DATA, st.sampled_from([None, "'", '"', "|"]), st.booleans())
def test_whatever_the_data_its_names_stay_and_no_value_does(data: object, style: str | None, flow: bool) -> None:
    text = yaml.safe_dump(data, default_style=style, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    assert yaml.safe_load(redacted_yaml(text, KEY, all_known)) == data
    hidden = yaml.load(redacted_yaml(text, KEY, nothing), Loader=yaml.BaseLoader)  # noqa: S506 - texts only
    assert shape(hidden) == shape(data)


def shape(data: object) -> object:
    """Names and structure; every value that is told shows."""
    if isinstance(data, dict):
        return {name: shape(value) for name, value in data.items()}
    if isinstance(data, list):
        return [shape(item) for item in data]
    return "value"


@settings(deadline=None)
@given(DATA)
def test_every_value_is_a_digest_afterwards(data: object) -> None:
    hidden = yaml.safe_load(redacted_yaml(yaml.safe_dump(data, allow_unicode=True), KEY, nothing))
    assert all(str(value).startswith("hmac:") for value in leaves(hidden))


def leaves(data: object) -> list[object]:
    if isinstance(data, dict):
        data = list(data.values())
    return [leaf for item in data for leaf in leaves(item)] if isinstance(data, list) else [data]


def test_a_value_with_a_tag_of_its_own_is_hidden_whole() -> None:
    found = redacted_yaml("a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3030\nb: !unsafe '{{ x }}'\n", KEY, nothing)
    assert "VAULT" not in found
    assert "{{" not in found
    assert "3030" not in found


def test_what_is_no_yaml_is_said_without_quoting_it() -> None:
    with pytest.raises(ValueError, match="expected YAML") as caught:
        redacted_yaml("a: [hunter22", KEY, nothing)
    assert "hunter22" not in str(caught.value)

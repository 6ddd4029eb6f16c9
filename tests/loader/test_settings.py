"""`--set NAME=VALUE` as the command line reads it."""

import pytest

from orchestrator.cli.options import settings_of
from orchestrator.errors import DefinitionError


def test_each_setting_is_a_name_and_a_value() -> None:
    assert settings_of(["centre=futian", "carrier=telecom"]) == {"centre": "futian", "carrier": "telecom"}
    assert settings_of(None) == settings_of([]) == {}


def test_a_value_may_hold_an_equals_sign() -> None:
    assert settings_of(["line=a=b"]) == {"line": "a=b"}


@pytest.mark.parametrize("text", ["centre", "centre=", "=futian", "=", ""])
def test_half_a_setting_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match=f"--set {text}: expected NAME=VALUE"):
        settings_of([text])


def test_a_name_that_comes_twice_is_refused() -> None:
    with pytest.raises(DefinitionError, match="--set centre=southern: expected each parameter once"):
        settings_of(["centre=futian", "centre=southern"])

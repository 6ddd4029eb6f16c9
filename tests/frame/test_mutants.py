"""The list of mutants fits the code that it breaks; `make mutants` plays them."""

import ast
from typing import Any

import pytest

from tools.mutants import ROOT, load, mutated

MUTANTS = load()


@pytest.mark.parametrize("mutant", MUTANTS, ids=[item["rule"] for item in MUTANTS])
def test_every_mutant_changes_what_it_says_and_names_a_test(mutant: dict[str, Any]) -> None:
    text = (ROOT / mutant["file"]).read_text(encoding="utf-8")
    broken = mutated(text, mutant)
    assert broken != text
    ast.parse(broken)
    file, _, name = mutant["test"].partition("::")
    tests = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    named = {node.name for node in ast.walk(tests) if isinstance(node, ast.FunctionDef)}
    assert name.split("::")[-1] in named


def test_a_mutant_that_does_not_fit_is_said() -> None:
    with pytest.raises(ValueError, match="once, found it otherwise"):
        mutated("nothing of the kind\n", MUTANTS[0])

"""`drillctl evidence`: seal, keep and verify what a run leaves behind. One module per verb."""

import importlib
from collections.abc import Callable
from typing import Any

import typer

evidence = typer.Typer(help="Evidence packs and the ledger: keys, seals, copies elsewhere.", no_args_is_help=True)

# module → verb, where the verb is a word of Python's
_VERBS = {
    "verify": "verify",
    "keygen": "keygen",
    "sealing": "seal",
    "stamp": "stamp",
    "importing": "import",
    "export": "export",
    "anchor": "anchor",
    "retain": "retain",
    "annual": "annual",
}


def _add(module: str, verb: str) -> None:
    function: Callable[..., Any] = getattr(importlib.import_module(f"orchestrator.cli.evidence.{module}"), module)
    evidence.command(verb)(function)


for _module, _verb in _VERBS.items():
    _add(_module, _verb)

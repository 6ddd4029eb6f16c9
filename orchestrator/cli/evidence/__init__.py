"""`drillctl evidence`: seal, keep and verify what a run leaves behind. One module per verb."""

import typer

from orchestrator.cli.verbs import group_of

_MODULES = ("verify", "keygen", "sealing", "stamp", "importing", "export", "anchor", "retain", "annual")
_VERBS = {"sealing": "seal", "importing": "import"}  # module → verb, where the verb is a word of Python's or ours

evidence = typer.Typer(
    help="Evidence packs and the ledger: keys, seals, copies elsewhere.",
    cls=group_of({_VERBS.get(name, name): f"orchestrator.cli.evidence.{name}:{name}" for name in _MODULES}),
    no_args_is_help=True,
)

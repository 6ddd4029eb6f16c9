"""`drillctl schedule`: the drills that the site's policy asks for. One module per verb."""

import typer

from orchestrator.cli.verbs import group_of

_MODULES = ("listing", "following", "due", "ics", "install", "decline")
_VERBS = {"listing": "list", "following": "next"}  # module → verb, where the verb is a word of Python's

schedule = typer.Typer(
    help="The drills of a year by the site's own policy: what comes, what is due, what was missed.",
    cls=group_of({_VERBS.get(name, name): f"orchestrator.cli.schedule.{name}:{name}" for name in _MODULES}),
    no_args_is_help=True,
)

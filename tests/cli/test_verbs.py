"""The command line's groups load a verb when it is called."""

import subprocess
import sys

from typer.core import TyperGroup
from typer.main import get_command

from orchestrator.cli.app import app
from orchestrator.cli.contents import VERBS


def _modules(*words: str) -> set[str]:
    """Of ours, after the command line was called with these words."""
    script = (
        "import sys\nfrom orchestrator.cli.app import app\n"
        f"try:\n    app({list(words)!r}, standalone_mode=False)\nexcept BaseException:\n    pass\n"
        "print(*sorted(name for name in sys.modules if name.startswith('orchestrator')), file=sys.stderr)"
    )
    done = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, timeout=60, check=True)
    return set(done.stderr.split())


def test_a_verb_loads_no_other_verb() -> None:
    loaded = _modules("evidence", "verify", "nowhere")
    assert "orchestrator.cli.evidence.verify" in loaded
    assert not {"orchestrator.cli.rehearse", "orchestrator.cli.evidence.annual", "orchestrator.cli.twin"} & loaded


def test_help_names_every_verb_of_a_group() -> None:
    done = subprocess.run(
        (sys.executable, "-m", "orchestrator", "--help"), capture_output=True, text=True, timeout=60, check=True
    )
    for verb in ("init", "lever", "report", "evidence", "findings", "twin"):
        assert any(line.lstrip("│ ").startswith(f"{verb} ") for line in done.stdout.splitlines()), verb


def test_the_list_of_verbs_loads_none_of_them_and_says_what_each_says_itself() -> None:
    loaded = {name for name in _modules("--help") if name.startswith("orchestrator.cli.")}
    assert loaded == {f"orchestrator.cli.{name}" for name in ("app", "contents", "verbs")}
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    said = {name: (group.commands[name].help or "").partition("\n\n")[0].replace("\n", " ") for name in VERBS}
    assert said == VERBS


def test_status_and_plan_load_neither_reports_nor_the_hands_on_hosts() -> None:
    for verb in ("status", "plan"):
        heavy = {"orchestrator.report.render", "orchestrator.adapters.world", "orchestrator.engine.run"}
        assert not heavy & _modules(verb, "--help"), verb

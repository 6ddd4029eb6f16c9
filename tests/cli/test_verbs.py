"""The command line's groups load a verb when it is called."""

import subprocess
import sys


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

"""`python -m tests.whatif_twin [--list] [--only TEXT]… [--from N] [--json FILE] [--scratch FOLDER]`

Exit status 1 where the truth disagrees with a prediction. A case takes half a minute to two minutes, all of them an
hour or two; `--json` is written anew after each, and `--from` goes on where it was left.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.loader.site import load_site
from tests.whatif_twin.cases import Case, cases
from tests.whatif_twin.trial import EXAMPLE, Trial, tried


def main() -> int:
    """Exit status."""
    asked = _asked()
    chosen = [
        (number, case)
        for number, case in enumerate(cases(load_site(EXAMPLE).topology), 1)
        if number >= asked.first and (not asked.only or any(text in case.name for text in asked.only))
    ]
    if asked.list:
        _say("\n".join(f"{number:>3}  {case.name}" for number, case in chosen))
        return 0
    if not chosen:
        _tell("expected a case of that name, found none; --list shows them")
        return 2
    with tempfile.TemporaryDirectory(prefix="tw-", dir="/tmp") as twins:  # short, for the sockets in it
        os.environ["DRILLCTL_TWINS"] = twins
        scratch = asked.scratch or Path(tempfile.mkdtemp(prefix="drillctl-whatif-"))
        _tell(f"state of each case: {scratch}")
        trials = list(_all(chosen, scratch, asked.json))
    wrong = sum(bool(trial.disagreements) for trial in trials)
    _say(f"\n{len(trials)} failures, {wrong} with disagreements, {sum(item.seconds for item in trials):.0f} s")
    for trial in trials:
        for text in trial.disagreements:
            _say(f"DISAGREES: {trial.case}: {text}")
    return 1 if wrong else 0


def _all(chosen: list[tuple[int, Case]], scratch: Path, file: Path | None) -> Any:
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file and file.exists() else []
    for number, case in chosen:
        _tell(f"{number:>3}  {case.name} …")
        trial = tried(case, scratch / f"{number:03}", lambda text: _tell(f"     {text}"))
        show(number, trial)
        if file:
            found = [item for item in found if item["case"] != trial.case]
            found.append({"number": number, **asdict(trial), "disagreements": trial.disagreements})
            _write(file, found)
        yield trial


def show(number: int, trial: Trial) -> None:
    """The table of one case: gateways that are touched, and those that disagree."""
    untouched = sum(item.fate == "untouched" and not item.wrong for item in trial.rows)
    said = "DISAGREES" if trial.disagreements else "agrees"
    _say(f"{number:>3}  {trial.case}: {said}, {trial.seconds:.0f} s, {untouched} untouched")
    for item in trial.rows:
        if item.fate != "untouched" or item.wrong:
            _say(f"       {item.gateway:<16} {item.fate:<16} {item.predicted:<34} {item.seen:<34} {item.wrong}")
    for text in trial.wrong:
        _say(f"       {text}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _tell(text: str) -> None:
    """Progress, beside the table."""
    sys.stderr.write(text + "\n")


def _write(file: Path, found: list[dict[str, Any]]) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(file)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What-if against the truth, too long for every day. Needs root.")
    parser.add_argument("--list", action="store_true", help="show the cases with their numbers, try none")
    parser.add_argument("--only", action="append", metavar="TEXT", help="cases whose name has it; may be repeated")
    parser.add_argument("--from", dest="first", type=int, default=1, metavar="N", help="begin with this number")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results here; those of before are kept")
    parser.add_argument("--scratch", type=Path, metavar="FOLDER", help="state and packs of each case")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

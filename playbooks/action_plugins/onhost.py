# SPDX-License-Identifier: GPL-3.0-or-later
# It is loaded into Ansible, which is GPL-3.0-or-later, so this file is too; its text: LICENSE in this folder.
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action `onhost`: one round trip per host. Pipes a program with its requests to the host's own Python.

An ordinary module would cost the host a quarter of a second of CPU and, as several tasks, would stop all
gateways before it started any. Here stop, proof, write, start and log-in of one gateway are one call.

Arguments: `program` (gateway or route) and `requests` (list, see docs/reference/on-host.md).
Returns `results`, one per request, in order; `changed`, `failed` and `diff` follow from them.
"""

from __future__ import annotations

import importlib.util
import shlex
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase


def _onhost_program() -> Any:
    """The project's own assembler, which knows nothing of Ansible."""
    path = Path(__file__).parent.parent / "onhost_program.py"
    spec = importlib.util.spec_from_file_location("onhost_program", path)
    if spec is None or spec.loader is None:
        raise AnsibleActionFail(f"expected {path}, found none")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Ansible's view of the results: the worst decides."""
    bad = [item for item in results if not item["ok"]]
    named = [f"{item.get('gateway', item['op'])}: {item['message']}" for item in bad or results]
    return {
        "changed": any(item["changed"] or item["outcome"] == "would_change" for item in results),
        "failed": bool(bad),
        "msg": "; ".join(named),
        "results": results,
    }


def diff(results: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Server lists and next hops only: the rest of a vendor's file may hold secrets."""
    return [
        {
            "before_header": str(item.get("gateway", item["op"])),
            "after_header": str(item.get("gateway", item["op"])),
            "before": "\n".join([*item["diff"]["before"], ""]),
            "after": "\n".join([*item["diff"]["after"], ""]),
        }
        for item in results
        if "diff" in item
    ]


class ActionModule(ActionBase):  # type: ignore[misc] # Ansible ships no type information
    """Supports check mode (each request is told) and diff mode."""

    TRANSFERS_FILES = False
    _requires_connection = True
    _supports_check_mode = True
    _supports_diff = True
    _VALID_ARGS = frozenset(("program", "requests"))

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """One `exec_command`, whatever the requests are."""
        super().run(tmp, task_vars)
        check = bool(self._task.check_mode)
        requests = [{**request, "check": check} for request in self._task.args["requests"]]
        if not requests:
            raise AnsibleActionFail("expected at least one request, found none")
        answer = self._ask(str(self._task.args["program"]), {"requests": requests}, task_vars or {})
        result = summary(answer["results"])
        if self._task.diff:
            result["diff"] = diff(answer["results"])
        return result

    def _ask(self, name: str, document: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        onhost = _onhost_program()
        interpreter = to_text(task_vars.get("ansible_python_interpreter") or "/usr/bin/python3")
        done = self._low_level_execute_command(
            f"{shlex.quote(interpreter)} -I -S -",
            in_data=onhost.program(name, document),
            sudoable=True,
        )
        answer = onhost.answer(done["stdout"])
        if answer is None:
            said = (done["stderr"] or done["stdout"]).strip().splitlines()
            raise AnsibleActionFail(f"expected a result from {interpreter}, found exit {done['rc']}: {said[-1:]}")
        return dict(answer)

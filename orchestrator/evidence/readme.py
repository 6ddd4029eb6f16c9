"""README.zh.txt and README.en.txt of a pack: what each file is, and how to verify without trusting us."""

from typing import Any, Literal, get_args

from orchestrator.model.packaged import packaged_yaml
from orchestrator.model.record import RunRecord

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def text(language: Language, record: RunRecord) -> str:
    """The same record gives the same text."""
    said = _texts()
    title = said["title"][language]
    parts = [title, "=" * (len(title) * (2 if language == "zh" else 1)), "", *_head(language, record), ""]
    if record.simulated:
        parts += [said["simulated"][language], ""]
    for name in ("files", "later"):
        parts += [said[f"{name}_heading"][language], ""]
        parts += [f"  {item['name']}\n      {item[language]}" for item in said[name]]
        parts.append("")
    for name in ("verify", "redaction"):
        parts += [said[f"{name}_heading"][language], "", said[name][language].rstrip(), ""]
    return "\n".join(parts)


def _head(language: Language, record: RunRecord) -> list[str]:
    names, plan = _texts()["head"], record.plan
    facts = {
        "run": record.run,
        "drill": getattr(plan.title, language),
        "site": getattr(record.topology.site.title, language),
        "plan": record.plan_digest,
        "journal": record.journal.head,
    }
    colon = "：" if language == "zh" else ": "
    return [f"{names[name][language]}{colon}{value}" for name, value in facts.items()]


def _texts() -> dict[str, Any]:
    found: dict[str, Any] = packaged_yaml("evidence", "readme.yml")
    return found


def patterns() -> dict[str, bool]:
    """Pattern of names → whether it is collected (else it is added when the pack is sealed)."""
    said = _texts()
    return {item["name"]: name == "files" for name in ("files", "later") for item in said[name]}

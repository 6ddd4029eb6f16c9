"""README.zh.txt and README.en.txt of a support bundle: which gateways and versions, whose clocks, what is not there."""

from collections.abc import Iterator
from typing import Any

from orchestrator.evidence.readme import Language
from orchestrator.model.packaged import packaged_yaml
from orchestrator.model.support import GatheredGateway, GatheredHost, SupportManifest

_HEAD = ("bundle", "title", "made_at", "timezone", "by", "reason", "run", "since")


def text(language: Language, manifest: SupportManifest) -> str:
    """The same manifest gives the same text."""
    said: dict[str, Any] = packaged_yaml("evidence", "support.yml")
    title = said["title"][language]
    lines = [title, "=" * (len(title) * (2 if language == "zh" else 1)), "", said["purpose"][language]]
    lines += [said["simulated"][language]] if manifest.simulated else []
    lines += ["", *_head(language, said["head"], manifest)]
    lines += ["", *_titled(said["gateways_heading"][language])]
    for gateway in manifest.gateways:
        lines += _gateway(language, said["gateway"], gateway)
    lines += ["", *_titled(said["hosts_heading"][language])]
    lines += [_host(language, said["host"], host) for host in manifest.hosts]
    lines += ["", *_titled(said["files_heading"][language]), *_files(language, said["files"], manifest)]
    lines += ["", *_titled(said["redaction_heading"][language]), *said["redaction"][language].splitlines(), ""]
    return "\n".join(lines)


def _titled(title: str) -> list[str]:
    return [f"[{title}]", ""]


def _colon(language: Language) -> str:
    return "：" if language == "zh" else ": "


def _head(language: Language, names: dict[str, Any], manifest: SupportManifest) -> Iterator[str]:
    facts = {name: getattr(manifest, name) for name in _HEAD} | {"title": getattr(manifest.title, language)}
    for name, value in facts.items():
        if value:
            yield f"{names[name][language]}{_colon(language)}{value}"


def _gateway(language: Language, names: dict[str, Any], gateway: GatheredGateway) -> Iterator[str]:
    word, colon = {name: text[language] for name, text in names.items()}, _colon(language)
    yield f"{word['number']} {gateway.number}  {gateway.id}  {getattr(gateway.title, language)}"
    yield f"    {word['host']}{colon}{gateway.host}  {word['gateway_class']}{colon}{word[gateway.gateway_class]}"
    if not gateway.looked:
        yield f"    {word['not_looked']}"
        return
    version = gateway.version.replace("\n", " / ") or word["version_unknown"]
    yield f"    {word['version']}{colon}{version}"
    since = ", ".join(f"{item.since} (pid {item.pid})" for item in gateway.processes)
    yield f"    {word['running']} {since}" if since else f"    {word['stopped']}"
    sessions = word["unknown"] if gateway.sessions is None else ", ".join(gateway.sessions) or word["none"]
    yield f"    {word['sessions']}{colon}{sessions}"


def _host(language: Language, names: dict[str, Any], host: GatheredHost) -> str:
    word, colon, facts = {name: text[language] for name, text in names.items()}, _colon(language), host.facts
    parts = []
    if facts is not None:
        clock = f"{facts.clock_offset_s:+.3f} ± {facts.clock_within_s:.3f} {word['seconds']}"
        zone = f"{facts.timezone or '?'} (UTC{facts.utc_offset_s / 3600:+g})"
        parts = [f"{word['clock']}{colon}{clock}", f"{word['timezone']}{colon}{zone}"]
        parts.append(f"{word['system']}{colon}{facts.system}")
    if host.could_not_look:
        parts.append(f"{word['could_not_look']}{colon}{host.could_not_look}")
    return f"{host.id}  " + "  ".join(parts)


def _files(language: Language, texts: dict[str, Any], manifest: SupportManifest) -> Iterator[str]:
    taken = manifest.taken
    counts = {"taken": len(taken), "cut": sum(item.is_truncated for item in taken)}
    yield texts["counts"][language].format(**counts, missing=len(manifest.files) - len(taken))
    yield from (texts[name][language] for name in ("place", "manifest", "verify"))

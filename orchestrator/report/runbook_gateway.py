"""What to type on a gateway's host, from the profile that the product itself goes by. Pure.

The order is that of playbooks/onhost/gateway.py and fence.py: everything that can be refused comes before the stop;
then stop, process gone, session gone, the front's release time, write, start, log-in (SSCC-2.5, SSE-2.2c).
"""

import math
import re
from collections.abc import Mapping, Sequence
from shlex import join, quote
from types import MappingProxyType

from orchestrator.model.topology import CertificateKind, ConfigFile, Front, Gateway, Profile, ServiceManager, fill
from orchestrator.report.runbook_list import as_written, edit, show
from orchestrator.report.runbook_model import Command, Desk

STOP_S = 15  # our choice, as on the host: how long a process may take to end after its stop command
LOOK_S = 60  # our choice, as in the plan: how long a log-in by itself may take
ASIDE = ".drillctl-fenced"  # as on the host: the product, too, sees that a fence stands


def profile_of(desk: Desk, gateway: Gateway) -> Profile:
    return desk.topology.profiles[gateway.profile]


def config_of(desk: Desk, gateway: Gateway) -> ConfigFile:
    """With number and id put in."""
    config = profile_of(desk, gateway).config
    names = ("path", "section", "key", "element", "item", "pointer", "begin", "end", "entry")
    filled = {name: fill(text, gateway) for name in names if (text := getattr(config, name)) is not None}
    return config.model_copy(update=filled)


def names(desk: Desk, gateway: Gateway, *, fenced: bool = False) -> Command:
    """Short names for the long paths, and whether this is the right host."""
    profile = profile_of(desk, gateway)
    conf = desk.topology.config_path(gateway)
    lines = [
        "export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin",
        f"CONF={quote(conf)}",
        f"LOG={quote(fill(profile.log.path, gateway))}",
        f"STATUS={quote(fill(profile.status.path, gateway))}",
        f"KEEP={desk.keep}/{gateway.id}",
        f"ls $CONF{ASIDE if fenced else ''}",
    ]
    seen = conf + (ASIDE if fenced else "")
    return _command(desk, "names", "\n".join(lines), seen=(seen,), only=True)


def keep(desk: Desk, gateway: Gateway) -> list[Command]:
    """A copy of the file before anything: the way back. It is never written over."""
    lines = [f"mkdir -m 700 -p {desk.keep}", "[ -e $KEEP.before ] || cp -p $CONF $KEEP.before"]
    lines.append("cmp $CONF $KEEP.before && echo KEPT")
    config = config_of(desk, gateway)
    before = desk.endpoints(desk.change(gateway.id).list_before)
    return [
        _command(desk, "list_now", f"{show(config, before)} $CONF", seen=as_written(config, before)),
        _command(desk, "keep", "\n".join(lines), seen=("KEPT",), only=True),
    ]


def prepare(desk: Desk, gateway: Gateway, before: Sequence[str], after: Sequence[str]) -> list[Command]:
    """The new file beside the old one, while the gateway still runs."""
    config = config_of(desk, gateway)
    old, new = as_written(config, before), as_written(config, after)
    gone = tuple(text for text in old if text not in new)
    words = {"old": desk.texts.joined(old), "new": desk.texts.joined(new), "path": config.path}
    script = edit(config, before, after)
    made = (
        _command(desk, "edit", f"{script} $CONF > $KEEP.new")
        if script
        else _command(desk, "edit_by_hand", "cp $CONF $KEEP.new\nvi $KEEP.new", values=words)
    )
    return [
        made,
        _command(desk, "diff", "diff -a $CONF $KEEP.new", seen=gone, values=words),
        _command(desk, "list_new", f"{show(config, [*before, *after])} $KEEP.new", seen=new, absent=gone, values=words),
    ]


def take_out(desk: Desk, gateway: Gateway, listed: Sequence[str]) -> list[Command]:
    """Stop it, prove it out, and wait until its number is free."""
    stop = _command(desk, "stop", f"{_service(desk, gateway, 'stop')}; echo rc=$?", seen=("rc=0",))
    wait = [] if gateway.receives_only else [_no_session(desk, gateway, listed), _release(desk, gateway)]
    return [stop, process_gone(desk, gateway), *wait]


def process_gone(desk: Desk, gateway: Gateway) -> Command:
    text = f"pgrep -af {_process(desk, gateway)}; echo rc=$?"
    return _command(desk, "process_gone", text, seen=("rc=1",), only=True, repeat_s=STOP_S, values={"within": STOP_S})


def write(desk: Desk, kind: str) -> Command:
    """`kind`: the new list, or the file before. Into the file itself: owner and mode stay."""
    text = f"cat $KEEP.{kind} > $CONF\ncmp $KEEP.{kind} $CONF && echo WRITTEN"
    return _command(desk, f"write_{kind}", text, seen=("WRITTEN",), only=True)


def start(desk: Desk, gateway: Gateway, front: Front, *, on_failure: str) -> list[Command]:
    """Start it and see it logged in at this front."""
    text = f"FROM=$(cat $LOG | wc -l)\n{_service(desk, gateway, 'start')}; echo rc=$?"
    return [
        _command(desk, "start", text, seen=("rc=0",), otherwise_key=f"otherwise.{on_failure}"),
        *_logged_in(desk, gateway, front, on_failure),
    ]


def look(desk: Desk, gateway: Gateway, front: Front, within_s: float = 0) -> Command:
    """One line, from a fresh window: it runs, has its session, and says that it is logged in."""
    seen = (() if gateway.receives_only else (front.endpoint,)) + (_says(desk, gateway),)
    key = "look_receiving" if gateway.receives_only else "look"
    text = _look(desk, gateway, [front.endpoint])
    return _command(desk, key, text, seen=seen, repeat_s=within_s, otherwise_key="otherwise.look")


def look_for(desk: Desk, gateway: Gateway, endpoints: Sequence[str]) -> Command:
    """The same, to be left alone if it is at one of these fronts already."""
    text = _look(desk, gateway, endpoints)
    return _command(desk, "look", text, seen=(_says(desk, gateway),), otherwise_key="otherwise.go_on")


def _look(desk: Desk, gateway: Gateway, endpoints: Sequence[str]) -> str:
    status = fill(profile_of(desk, gateway).status.path, gateway)
    session = [] if gateway.receives_only else [_sessions(endpoints)]
    parts = [f"pgrep -f {_process(desk, gateway)} > /dev/null", *session, f"grep {_key(desk, gateway)} {quote(status)}"]
    return " && ".join(parts)


def look_out(desk: Desk, gateway: Gateway) -> Command:
    """It does not run."""
    text = f"pgrep -af {_process(desk, gateway)}; echo rc=$?"
    return _command(desk, "look_out", text, seen=("rc=1",), only=True)


def kept_out(desk: Desk, gateway: Gateway, within_s: float) -> Command:
    """It may run behind a network fence: what counts is that it is not logged in."""
    status = fill(profile_of(desk, gateway).status.path, gateway)
    text = f"pgrep -f {_process(desk, gateway)} > /dev/null && grep {_key(desk, gateway)} {quote(status)}; echo END"
    return _command(desk, "kept_out", text, seen=("END",), absent=(_says(desk, gateway),), repeat_s=within_s)


def own_command(desk: Desk, gateway: Gateway, verb: str) -> list[Command]:
    """The site's own disable or enable command, where its profile has one."""
    words: tuple[str, ...] | None = getattr(profile_of(desk, gateway).service, verb)
    if not words:
        return []
    text = join(fill(word, gateway) for word in words)
    return [_command(desk, verb, f"{text}; echo rc=$?", seen=("rc=0",))]


def is_ekey(desk: Desk, gateway: Gateway) -> bool:
    """SSE-5.2: each start may spend a PIN attempt."""
    used = next((item for item in desk.topology.certificates if item.id == gateway.certificate), None)
    return used is not None and used.kind is CertificateKind.EKEY


def release_s(desk: Desk, gateway: Gateway) -> int | None:
    """Whole seconds, rounded up; None: only the exchange knows."""
    longest = desk.topology.longest_release_s(gateway)
    return None if longest is None else math.ceil(longest)


def command(desk: Desk, key: str, text: str, *, seen: tuple[str, ...] = (), only: bool = False) -> Command:
    """A command whose words are in the catalogue under its key."""
    return _command(desk, key, text, seen=seen, only=only)


def _command(  # noqa: PLR0913 - the fields of a command, by name
    desk: Desk,
    key: str,
    text: str,
    *,
    seen: tuple[str, ...] = (),
    absent: tuple[str, ...] = (),
    only: bool = False,
    repeat_s: float = 0,
    otherwise_key: str = "",
    values: Mapping[str, object] = MappingProxyType({}),
) -> Command:
    otherwise = desk.texts(otherwise_key or f"otherwise.{key}", **values)
    return Command(desk.texts(f"why.{key}", **values), text, seen, absent, only, repeat_s, otherwise)


def _service(desk: Desk, gateway: Gateway, verb: str) -> str:
    service = profile_of(desk, gateway).service
    if service.manager is ServiceManager.SYSTEMD:
        return join(["systemctl", verb, fill(service.unit or "", gateway)])
    words: tuple[str, ...] = getattr(service, verb) or ()
    return join(fill(word, gateway) for word in words)


def _process(desk: Desk, gateway: Gateway) -> str:
    """For `pgrep -f`: ends at a word's end (W1 is not W10), and never matches the shell that was given it."""
    text = fill(profile_of(desk, gateway).service.process, gateway)
    tail = re.sub(r"([\\.*+?\[\](){}^$|])", r"\\\1", text[1:])
    return quote(f"[{text[0]}]{tail}([^A-Za-z0-9]|$)")


def _sessions(endpoints: Sequence[str]) -> str:
    wanted = " or ".join(f"dst {endpoint}" for endpoint in dict.fromkeys(endpoints))
    return f"ss -Htn state established '( {wanted} )'"


def _no_session(desk: Desk, gateway: Gateway, listed: Sequence[str]) -> Command:
    """Others on the host may be at the same fronts: then their lines stay."""
    others = [
        item.id
        for item in desk.topology.gateways
        if item.enabled
        and item.host == gateway.host
        and item.id != gateway.id
        and set(desk.endpoints(item.servers)) & set(listed)
    ]
    key = "no_session_shared" if others else "no_session"
    text = f"{_sessions(listed)} && echo END"
    values = {"others": desk.texts.joined(others)}
    return _command(desk, key, text, seen=("END",), only=not others, repeat_s=STOP_S, values=values)


def _release(desk: Desk, gateway: Gateway) -> Command:
    seconds = release_s(desk, gateway)
    if seconds is None:
        return _command(desk, "release_unknown", "")
    text = f"date +%T; sleep {seconds}; date +%T; pgrep -f {_process(desk, gateway)}; echo rc=$?"
    return _command(desk, "release", text, seen=("rc=1",), values={"seconds": seconds})


def _logged_in(desk: Desk, gateway: Gateway, front: Front, on_failure: str) -> list[Command]:
    within_s = desk.topology.site.switch_deadline_s
    status = _command(
        desk,
        "status",
        f"grep {_key(desk, gateway)} $STATUS",
        seen=(_says(desk, gateway),),
        repeat_s=within_s,
        otherwise_key=f"otherwise.{on_failure}",
    )
    if gateway.receives_only:
        return [status]
    otherwise = f"otherwise.{on_failure}"
    log, session = _in_log(desk, gateway, front), _sessions([front.endpoint])
    return [
        _command(desk, "log", log[0], seen=log[1], repeat_s=within_s, otherwise_key=otherwise),
        _command(desk, "session", session, seen=(front.endpoint,), repeat_s=within_s, otherwise_key=otherwise),
        status,
    ]


def _in_log(desk: Desk, gateway: Gateway, front: Front) -> tuple[str, tuple[str, ...]]:
    """Only lines since the start: an older log-in proves nothing."""
    profile = profile_of(desk, gateway)
    pieces = profile.log.logged_in.replace("{endpoint}", front.endpoint).split("{*}")
    form = ".*".join(re.sub(r"([\\.*\[\]^$])", r"\\\1", piece) for piece in pieces)
    foreign = not form.isascii() and profile.config.encoding.lower().replace("_", "-") not in ("utf-8", "utf-8-sig")
    as_text = f" | iconv -cf {profile.config.encoding} -t UTF-8" if foreign else ""
    seen = tuple(piece.strip() for piece in pieces if piece.strip())
    return f"tail -n +$((FROM+1)) $LOG{as_text} | grep -a {quote(form)}", seen


def _key(desk: Desk, gateway: Gateway) -> str:
    return quote(profile_of(desk, gateway).status.logged_in_key)


def _says(desk: Desk, gateway: Gateway) -> str:
    status = profile_of(desk, gateway).status
    return f"{status.logged_in_key}={status.logged_in_value}"

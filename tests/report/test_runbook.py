"""The printed runbook: its commands do what the product does, for any list, any drill and any response."""

import importlib
import re
import subprocess
from datetime import date
from functools import cache
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.moves import next_hop as products_next_hop
from orchestrator.adapters.ssh import ssh_targets
from orchestrator.errors import Refused
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import load_site
from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import Plan, Verb
from orchestrator.model.topology import ConfigFile, ListFormat, Topology
from orchestrator.planner import Request, make_plan
from orchestrator.report import runbook_gateway, runbook_network
from orchestrator.report.pdf import html_to_pdf
from orchestrator.report.runbook import render
from orchestrator.report.runbook_list import edit, show
from orchestrator.report.runbook_model import Block, Desk, Login
from orchestrator.report.runbook_steps import pages
from orchestrator.report.runbook_texts import RunbookTexts, catalogue
from orchestrator.report.texts import Language
from orchestrator.twin.vendor_sample import filled_config, sample
from playbooks.onhost import vendor_file
from tests.support.runbooks import Reader
from tests.support.sites import ROOT

SITE = load_site(ROOT / "inventory/example")
TODAY = date(2026, 11, 22)
LOGINS = {name: Login(item.address, item.user, item.port) for name, item in ssh_targets(SITE).items()}
WIDEST = 78  # what a line of the page takes, in characters of its commands
ENDPOINTS = [f"172.{net}.101.{host}:{port}" for net, host, port in ((60, 30, 7043), (50, 30, 7043), (70, 3, 7043))]
ENDPOINTS += ["172.70.101.30:7043", "172.60.101.30:17043"]
FORMS = {
    "numbered": ConfigFile(path="/f", format=ListFormat.INI, section="MainStation", key="Server{n}"),
    "one value": ConfigFile(path="/f", format=ListFormat.INI, section="up", key="addresses", encoding="gbk"),
    "properties": ConfigFile(
        path="/f", format=ListFormat.PROPERTIES, key="ccnet.servers", separator=";", encoding="gbk"
    ),
    "numbered properties": ConfigFile(path="/f", format=ListFormat.PROPERTIES, key="server.{n}"),
    "xml": ConfigFile(
        path="/f", format=ListFormat.XML, element="Gw/Up", item="Server", attributes=("ip", "port"), encoding="gbk"
    ),
    "objects": ConfigFile(path="/f", format=ListFormat.JSON, pointer="/a/servers", attributes=("host", "port")),
    "strings": ConfigFile(path="/f", format=ListFormat.JSON, pointer="/a/servers"),
    "delimited": ConfigFile(
        path="/f", format=ListFormat.DELIMITED, begin="# BEGIN", end="# END", entry="{address}|{port}"
    ),
}
CASES = [
    ("single-centre-failure", {"centre": "futian"}, Mode.DRILL, Response.REPOINT),
    ("single-centre-failure", {"centre": "southern"}, Mode.DRILL, Response.OBSERVE),
    ("single-centre-failure", {}, Mode.REHEARSAL, Response.ASSIST),
    ("single-carrier-failure", {"carrier": "unicom"}, Mode.INCIDENT, Response.REPOINT),
    ("beijing-dr-cutover", {}, Mode.DRILL, Response.REPOINT),
    ("gateway-host-failure", {"host": "gw-a1"}, Mode.DRILL, Response.REPOINT),
    ("gateway-host-failure", {"host": "gw-a3"}, Mode.INCIDENT, Response.REPOINT),
]
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[2]}-{case[3]}")


def planned(case: tuple[str, dict[str, str], Mode, Response], topology: Topology = SITE.topology) -> Plan:
    drill, settings, mode, response = case
    request = Request(mode, TODAY, settings, response)
    return make_plan(topology, SITE.digest, load_drill(ROOT / "drills", drill), request)


@cache
def page_of(index: int, language: Language) -> str:
    return render(planned(CASES[index]), SITE.topology, LOGINS, TODAY, language)


def blocks_of(plan: Plan, topology: Topology = SITE.topology) -> dict[str, Block]:
    desk = Desk(plan, topology, LOGINS, RunbookTexts("en"), TODAY)
    return {block.key: block for page in pages(desk) for block in page.blocks}


# -- the list ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_a_list_typed_by_hand_is_the_list_that_the_product_writes(form: str, data: st.DataObject) -> None:
    config = filled_config(FORMS[form], SITE.topology.gateways[0])
    before = data.draw(st.lists(st.sampled_from(ENDPOINTS), min_size=1, max_size=4, unique=True))
    after = data.draw(st.lists(st.sampled_from(ENDPOINTS), min_size=1, max_size=4, unique=True))
    command = edit(config, before, after)
    if command is None:
        return
    file = sample(config, SITE.topology.gateways[0], before)
    typed = subprocess.run(["/bin/sh", "-c", f"LC_ALL=C {command}"], input=file, capture_output=True, check=True)
    assert typed.stdout == vendor_file.write_endpoints(file, config.model_dump(mode="json"), after)


@pytest.mark.parametrize("form", FORMS)
def test_what_plans_ask_for_can_be_typed(form: str) -> None:
    """A plan leaves dead fronts out of a list, or goes to one front elsewhere."""
    first, second, *_, elsewhere = ENDPOINTS
    for after in ([first], [second], [elsewhere]):
        assert edit(FORMS[form], [first, second], after), f"{after} has a command"


def test_what_sed_cannot_do_is_done_in_an_editor() -> None:
    first, second, third, *_ = ENDPOINTS
    assert edit(FORMS["numbered"], [first, second], [second, first]) is None
    assert edit(FORMS["numbered"], [first], [second, third]) is None
    wide = FORMS["numbered"].model_copy(update={"encoding": "utf-16"})
    assert edit(wide, [first, second], [second]) is None
    assert first.partition(":")[0] in show(wide, [first])


# -- the same as the product's own ---------------------------------------------------------------------


def onhost(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "playbooks/onhost"))
    return importlib.import_module(name)


def test_the_fence_typed_by_hand_drops_what_the_products_own_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(planned(CASES[5]), SITE.topology, LOGINS, RunbookTexts("en"), TODAY)
    host = SITE.topology.host["gw-a1"]
    typed = "\n".join(command.text for command in runbook_network.cut_off(desk, host, 10))
    rules = re.findall(r"ip saddr \{ (.*?) \} ip daddr \{ (.*?) \} counter drop", typed)
    pairs = {(a, b) for one, other in rules for a in one.split(", ") for b in other.split(", ")}
    request = {
        "addresses": [str(host.site_address), str(host.management_address)],
        "networks": [str(centre.network) for centre in SITE.topology.centres],
    }
    barrier = onhost("barrier", monkeypatch)
    wanted = re.findall(r"ip saddr (\S+) ip daddr (\S+) counter drop", "\n".join(barrier.rules_of(request)))
    assert pairs == set(wanted)
    assert barrier._HEAD in typed  # noqa: SLF001 - what both have to have in common
    assert runbook_network.table_of("gw-a1").startswith(onhost("route", monkeypatch).FENCE)


def test_names_and_times_are_the_products_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert onhost("standby", monkeypatch)._ASIDE == runbook_gateway.ASIDE  # noqa: SLF001 - as above
    assert onhost("fence", monkeypatch)._STOP_S == runbook_gateway.STOP_S  # noqa: SLF001 - as above


def test_paths_go_where_the_product_sends_them() -> None:
    topology = SITE.topology
    ways = [(router.id, line) for router in topology.routers for order in router.paths.values() for line in order]
    assert ways
    for router, line in ways:
        assert runbook_network.next_hop(topology, router, line) == products_next_hop(topology, router, line)


@pytest.mark.parametrize("gateway", SITE.topology.gateways, ids=lambda gateway: gateway.id)
def test_a_process_is_found_by_the_products_rule_and_the_asking_shell_is_not(gateway: object) -> None:
    chosen = next(item for item in SITE.topology.gateways if item is gateway)
    desk = Desk(planned(CASES[0]), SITE.topology, LOGINS, RunbookTexts("en"), TODAY)
    command = runbook_gateway.process_gone(desk, chosen).text
    pattern = re.search(r"-af '(.*?)'; echo", command)
    assert pattern
    running = f"/x/{SITE.topology.profiles[chosen.profile].service.process.replace('{number}', chosen.number)}"
    assert re.search(pattern[1], running)
    assert re.search(pattern[1], f"{running} --more")
    assert not re.search(pattern[1], f"{running}0")
    assert not re.search(pattern[1], f"sh -c {command}")


# -- the pages -----------------------------------------------------------------------------------------


@cases
def test_every_step_of_the_plan_is_a_page_and_every_act_a_block(
    case: tuple[str, dict[str, str], Mode, Response],
) -> None:
    plan = planned(case)
    html = page_of(CASES.index(case), "zh")
    at = [html.index(f'id="{step.id}"') for step in plan.steps]
    assert at == sorted(at), "in the plan's order"
    acts = (Verb.REPOINT, Verb.RESTORE, Verb.RESTART, Verb.TAKE_OVER, Verb.GIVE_BACK, Verb.FENCE, Verb.UNFENCE)
    wanted = {f"{step.id}/{target.name}" for step in plan.steps if step.verb in acts for target in step.targets}
    assert wanted <= set(Reader(html).blocks)


@cases
def test_no_gateway_starts_before_it_is_proved_out_and_its_number_is_free(
    case: tuple[str, dict[str, str], Mode, Response],
) -> None:
    for key, block in blocks_of(planned(case)).items():
        said = [command.why for command in block.commands]
        if "Start the gateway" not in said or key.startswith("take-over"):
            continue
        order = [said.index(why) for why in ("Stop the gateway", "The process is gone", "Start the gateway")]
        assert order == sorted(order), key
        gateway = SITE.topology.gateway[key.rpartition("/")[2]]
        if not gateway.receives_only:
            waits = next(index for index, why in enumerate(said) if why.startswith("Wait the release time of 10 s"))
            assert said.index("The session is gone") < waits < said.index("Start the gateway")


@cases
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_page_has_no_word_too_wide_and_nothing_secret(
    case: tuple[str, dict[str, str], Mode, Response], language: Language
) -> None:
    html = page_of(CASES.index(case), language)
    printed = [command for block in Reader(html).blocks.values() for command in block]
    words = [word for command in printed for line in command.lines for word in line.split(" ")]
    assert not [word for word in words if len(word) > WIDEST]
    assert not [word for word in words if re.search(r"passw|secret|\bpin\b", word, re.IGNORECASE)]
    assert planned(case).digest in html
    assert SITE.digest in html
    assert "0755-83182222" in html


def test_a_password_of_the_inventory_is_on_no_page() -> None:
    """Only address, user and port come over from hosts.yml, and the way there from access.yml."""
    assert set(Login.__dataclass_fields__) == {"address", "user", "port", "jump"}


def test_the_same_plan_gives_the_same_bytes() -> None:
    again = render(planned(CASES[5]), SITE.topology, LOGINS, TODAY, "zh")
    assert again == page_of(5, "zh")
    assert "2026-11-23" in render(planned(CASES[5]), SITE.topology, LOGINS, date(2026, 11, 23), "zh")


def test_it_is_a_pdf_with_every_glyph_and_the_same_bytes_again() -> None:
    html = page_of(5, "zh")
    first = html_to_pdf(html)
    assert first.startswith(b"%PDF")
    assert first == html_to_pdf(html)


def test_an_unknown_release_time_is_asked_for_and_never_guessed() -> None:
    data = SITE.topology.model_dump(mode="json", by_alias=True)
    data["site"]["session_timeout_s"] = None
    topology = Topology.model_validate(data)
    block = blocks_of(planned(CASES[0], topology), topology)["repoint-1/nq-trade-1"]
    asked = next(command for command in block.commands if command.why.startswith("Release time unknown"))
    assert not asked.text
    assert not any("sleep" in command.text for command in block.commands)
    assert block.commands.index(asked) < next(i for i, item in enumerate(block.commands) if "start" in item.text)


def test_a_router_that_nobody_drives_has_no_commands() -> None:
    data = SITE.topology.model_dump(mode="json", by_alias=True)
    for router in data["routers"]:
        router["driver"] = "vendor"
    topology = Topology.model_validate(data)
    plan = planned(("single-carrier-failure", {"carrier": "unicom"}, Mode.INCIDENT, Response.REPOINT), topology)
    routers = [block for key, block in blocks_of(plan, topology).items() if "/ce-" in key]
    assert routers
    assert not [command for block in routers for command in block.commands if command.text]
    assert all(not block.login for block in routers)


def test_an_ekey_is_warned_of_where_a_gateway_is_started() -> None:
    blocks = blocks_of(planned(("single-carrier-failure", {"carrier": "telecom"}, Mode.DRILL, Response.REPOINT)))
    assert "sse-td-1-ekey" in blocks["home-1/sse-td-1"].warning
    assert not blocks["home-1/nq-trade-1"].warning


def test_an_incident_says_where_its_way_back_is() -> None:
    assert "/var/tmp/runbook-" in page_of(3, "en").partition('id="back"')[2]  # noqa: S108 - the text of the page


# -- the texts -----------------------------------------------------------------------------------------


def test_every_text_is_used_and_both_languages_fill_in_the_same() -> None:
    folder = ROOT / "orchestrator/report"
    files = [*folder.glob("runbook*.py"), folder / "templates/runbook.html.j2"]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in files)
    holes = re.compile(r"\{(\w+)\}")
    for key, title in catalogue().items():
        group, _, name = key.partition(".")
        assert sorted(set(holes.findall(title.zh))) == sorted(set(holes.findall(title.en))), key
        used = (f'"{key}"', f'"{name}"', 'f"write_{kind}"' if name.startswith("write_") else f'"{key}"')
        assert group == "until" or any(text in sources for text in used), key


def test_chinese_is_chinese_and_english_is_english() -> None:
    chinese = re.compile(r"[\u3400-\u9fff]")
    assert [key for key, title in catalogue().items() if chinese.search(title.en)] == []
    assert [
        key for key, title in catalogue().items() if not chinese.search(title.zh) and not key.startswith("page.")
    ] == []


def test_a_plan_that_is_refused_is_no_runbook() -> None:
    with pytest.raises(Refused, match=r"NOTHING_AFFECTED|NO_PATH"):
        planned(("single-carrier-failure", {"carrier": "satcom"}, Mode.DRILL, Response.REPOINT))

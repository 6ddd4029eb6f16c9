import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.topology import ConfigFile, Gateway, ListFormat
from orchestrator.twin.vendor_sample import filled_config, sample

ROOT = Path(__file__).parents[2]
TOPOLOGY = load_site(ROOT / "inventory" / "example").topology
ENDPOINTS = ["172.60.101.30:7043", "172.50.101.30:7043", "172.70.101.30:7043"]


def _reader() -> Callable[[bytes, dict[str, Any]], list[str]]:
    spec = importlib.util.spec_from_file_location("vendor_file", ROOT / "playbooks" / "onhost" / "vendor_file.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reader: Callable[[bytes, dict[str, Any]], list[str]] = module.read_endpoints
    return reader


read_endpoints = _reader()

FORMS = [
    ConfigFile(path="/f", format=ListFormat.INI, section="主站 {number}", key="list", encoding="gbk"),
    ConfigFile(path="/f", format=ListFormat.INI, section="s", key="Server{n}", entry="tcp://{address}:{port}"),
    ConfigFile(path="/f", format=ListFormat.PROPERTIES, key="{id}.servers", separator=";", encoding="gb18030"),
    ConfigFile(path="/f", format=ListFormat.PROPERTIES, key="server.{n}"),
    ConfigFile(path="/f", format=ListFormat.XML, element="Root", item="S"),
    ConfigFile(path="/f", format=ListFormat.XML, element="A/B/C", item="S", attributes=("ip", "p"), encoding="gbk"),
    ConfigFile(path="/f", format=ListFormat.JSON, pointer="/servers"),
    ConfigFile(path="/f", format=ListFormat.JSON, pointer="/a~1b/servers", attributes=("host", "port")),
    ConfigFile(path="/f", format=ListFormat.JSON, pointer="/a/b/list", encoding="gbk", entry="{address}/{port}"),
    ConfigFile(path="/f", format=ListFormat.DELIMITED, begin="BEGIN", end="END", entry="{port} {address}"),
    ConfigFile(path="/f", format=ListFormat.DELIMITED, begin="[", end="]", encoding="utf-8-sig"),
    ConfigFile(path="/f", format=ListFormat.INI, section="s", key="k", encoding="latin-1"),
]
GATEWAY = TOPOLOGY.gateway["nq-trade-1"]


@pytest.mark.parametrize("config", FORMS, ids=lambda config: f"{config.format}-{config.encoding}-{config.entry}")
@pytest.mark.parametrize("count", [1, 3])
def test_the_list_of_any_form_is_read_again(config: ConfigFile, count: int) -> None:
    data = sample(config, GATEWAY, ENDPOINTS[:count])
    assert read_endpoints(data, filled_config(config, GATEWAY).model_dump(mode="json")) == ENDPOINTS[:count]


@pytest.mark.parametrize("gateway", TOPOLOGY.gateways, ids=lambda gateway: gateway.id)
def test_the_example_site_s_own_files_hold_its_lists(gateway: Gateway) -> None:
    config = TOPOLOGY.profiles[gateway.profile].config
    endpoints = [TOPOLOGY.front[name].endpoint for name in gateway.servers]
    data = sample(config, gateway, endpoints)
    assert read_endpoints(data, filled_config(config, gateway).model_dump(mode="json")) == endpoints


def test_gbk_comes_with_chinese_comments_and_windows_line_ends() -> None:
    data = sample(TOPOLOGY.profiles["nq-market"].config, TOPOLOGY.gateway["nq-md-1"], ENDPOINTS)
    assert "主站服务器列表".encode("gbk") in data
    assert data.count(b"\r\n") == data.count(b"\n") > 5


def test_other_encodings_keep_unix_line_ends() -> None:
    assert b"\r" not in sample(TOPOLOGY.profiles["nq-trading"].config, GATEWAY, ENDPOINTS)

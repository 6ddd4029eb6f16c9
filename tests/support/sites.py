"""Sites of any size, made from a few choices: for property tests, and written to disk for twins."""

import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from orchestrator.model.people import PersonRole
from orchestrator.model.topology import Topology

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = yaml.safe_load((ROOT / "inventory/catalogue/sscc.yml").read_text(encoding="utf-8"))
PROFILES = yaml.safe_load((ROOT / "inventory/example/profiles.yml").read_text(encoding="utf-8"))
CENTRES = ("futian", "southern")
ZONE = ZoneInfo("Asia/Shanghai")
SERVICES = {
    "trading": ("trading", "nq-trading"),
    "market-data-tcp": ("market", "nq-market"),
    "settlement": ("settlement", "nq-settlement"),
}


@dataclass(frozen=True)
class RoomSpec:
    """A room with its CE router. `lines` are (carrier, centre) in order of preference; `far` adds the other
    rooms' lines behind its own."""

    routing: str = "dynamic"
    lines: tuple[tuple[str, str], ...] = (("alpha", "futian"), ("beta", "southern"))
    far: bool = True


@dataclass(frozen=True)
class SiteSpec:
    """A whole site: rooms, carriers, and how many gateways of each class each room has."""

    rooms: tuple[RoomSpec, ...] = field(
        default_factory=lambda: (RoomSpec(), RoomSpec(lines=(("beta", "futian"), ("alpha", "southern"))))
    )
    carriers: tuple[str, ...] = ("alpha", "beta")
    classes: tuple[str, ...] = ("trading", "market-data-tcp", "settlement")
    pairs: int = 1
    outlives: bool = True  # whether lines into a centre outlive it
    wave: int = 20
    hosts: int = 4  # of each class, in each room
    cold: str = ""  # cold standbys of the primaries: "beside" the hot one, or on a "spare" host; empty: none


EVERYBODY = {  # one person for every role
    "id": "everybody",
    "name": {"zh": "全体", "en": "Everybody"},
    "roles": [item.value for item in PersonRole],
    "phone": "0755-00000000",
}


def site_data(spec: SiteSpec) -> dict[str, Any]:
    """`topology.yml` as data, without the catalogue's centres and fronts."""
    lines = _lines(spec)
    hot = _gateways(spec)
    gateways = [*hot, *_cold_standbys(spec, hot)]
    return {
        "site": {
            "name": "generated",
            "title": {"zh": "测试证券", "en": "Generated Securities"},
            "management_network": "198.18.0.0/16",
            "max_gateways_per_wave": spec.wave,
            "session_timeout_s": 10,
        },
        "centres": [],
        "fronts": [
            {
                "id": f"{centre}-settlement",
                "centre": centre,
                "service": "settlement",
                "address": f"{net}.70",
                "port": 7013,
            }
            for centre, net in (("futian", "172.60.101"), ("southern", "172.50.101"))
        ],
        "carriers": [{"id": name, "title": {"zh": f"运营商{name}", "en": f"Carrier {name}"}} for name in spec.carriers],
        "rooms": [
            {"id": f"site{n}", "title": {"zh": f"机房{n}", "en": f"Room {n}"}, "network": f"198.19.{n}.0/24"}
            for n in range(len(spec.rooms))
        ],
        "routers": [_router(spec, n, lines) for n in range(len(spec.rooms))],
        "links": _links(len(spec.rooms)),
        "lines": [line for room in lines for line in room],
        "hosts": _hosts(gateways),
        "certificates": [
            {
                "id": f"cert-{item['id']}",
                "kind": "file",
                "gateway_number": item["number"],
                "valid_from": "2025-01-01",
                "valid_to": "2029-01-01",
            }
            for item in hot
        ],
        "gateways": gateways,
    }


def _lines(spec: SiteSpec) -> list[list[dict[str, Any]]]:
    networks = IPv4Network("203.0.113.0/24").subnets(new_prefix=30)
    found = []
    for n, room in enumerate(spec.rooms):
        own = []
        for k, (carrier, centre) in enumerate(room.lines):
            network = next(networks)
            own.append(
                {
                    "id": f"w{n}{k}-{carrier}-{centre}",
                    "title": {"zh": f"线路{n}{k}", "en": f"Line {n}{k}"},
                    "carrier": carrier,
                    "router": f"edge{n}",
                    "into": centre,
                    "carries": [centre, "beijing"],
                    "network": str(network),
                    "local_address": str(network[1]),
                    "remote_address": str(network[2]),
                    "bandwidth_mbps": 4,
                    "value_added_network": True,
                    "survives_loss_of": ["futian", "southern"] if spec.outlives else [],
                }
            )
        found.append(own)
    return found


def _router(spec: SiteSpec, n: int, lines: list[list[dict[str, Any]]]) -> dict[str, Any]:
    others = [line for m, room in enumerate(lines) if m != n for line in room] if spec.rooms[n].far else []
    reachable = [*lines[n], *others]
    paths = {
        centre: [line["id"] for line in reachable if centre in line["carries"]] for centre in (*CENTRES, "beijing")
    }
    return {
        "id": f"edge{n}",
        "room": f"site{n}",
        "title": {"zh": f"路由器{n}", "en": f"Router {n}"},
        "management_address": f"198.18.{n}.1",
        "site_address": f"198.19.{n}.1",
        "routing": spec.rooms[n].routing,
        "paths": {centre: path for centre, path in paths.items() if path},
    }


def _links(rooms: int) -> list[dict[str, Any]]:
    networks = IPv4Network("198.51.100.0/24").subnets(new_prefix=30)
    return [
        {"id": f"join{a}{b}", "routers": [f"edge{a}", f"edge{b}"], "network": str(next(networks))}
        for a in range(rooms)
        for b in range(a + 1, rooms)
    ]


def _gateways(spec: SiteSpec) -> list[dict[str, Any]]:
    found = []
    number = 700000
    for name in spec.classes:
        stem, profile = SERVICES[name]
        for pair in range(spec.pairs):
            ids = [f"{stem}-{pair}-a", f"{stem}-{pair}-b"]
            for k, gateway in enumerate(ids):
                order = CENTRES if number % 2 == 0 else tuple(reversed(CENTRES))
                room = k % len(spec.rooms)
                found.append(
                    {
                        "id": gateway,
                        "title": {"zh": f"网关{gateway}", "en": f"Gateway {gateway}"},
                        "number": f"Q{number}",
                        "class": name,
                        "profile": profile,
                        "host": f"node{room}-{stem}-{pair % spec.hosts}",
                        "role": "primary" if k == 0 else "standby",
                        "pair": ids[1 - k],
                        "servers": [f"{centre}-{stem}" for centre in order],
                        "certificates": [f"cert-{gateway}"],
                        "certificate": f"cert-{gateway}",
                    }
                )
                number += 1
    return found


def _cold_standbys(spec: SiteSpec, hot: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A cold standby of each primary, with the primary's number, list and certificate."""
    room = len(spec.rooms) - 1
    pairs = {item["id"]: item for item in hot}
    return [
        {
            **item,
            "id": f"{item['id']}-cold",
            "title": {"zh": f"冷备{item['id']}", "en": f"Cold standby of {item['id']}"},
            "host": host,
            "role": "standby",
            "pair": None,
            "enabled": False,
            "standby_for": item["id"],
        }
        for item in hot
        if item["role"] == "primary" and spec.cold
        for host in [pairs[item["pair"]]["host"] if spec.cold == "beside" else f"node{room}-spare"]
        if host != item["host"]
    ]


def _hosts(gateways: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = sorted({item["host"] for item in gateways})
    found = []
    for index, name in enumerate(names):
        room = int(name[4])
        found.append(
            {
                "id": name,
                "room": f"site{room}",
                "router": f"edge{room}",
                "management_address": f"198.18.{room}.{10 + index}",
                "site_address": f"198.19.{room}.{10 + index}",
            }
        )
    return found


def topology_of(spec: SiteSpec) -> Topology:
    """The site as the loader would give it."""
    return topology_from(site_data(spec))


def topology_from(data: dict[str, Any]) -> Topology:
    """The same from `topology.yml` as data, to which the catalogue is added."""
    data["centres"] = CATALOGUE["centres"]
    data["fronts"] = [*CATALOGUE["fronts"], *data["fronts"]]
    data["profiles"] = PROFILES
    data["people"] = {"people": [EVERYBODY]}
    return Topology.model_validate(data)


def write_site(folder: Path, spec: SiteSpec) -> Path:
    """Write the site as a folder under `folder`/inventory, with the catalogue beside it; returns the site's folder."""
    site = folder / "inventory" / "generated"
    site.mkdir(parents=True)
    shutil.copytree(ROOT / "inventory/catalogue", folder / "inventory/catalogue")
    data = site_data(spec)
    hosts = {
        "all": {
            "vars": {"ansible_python_interpreter": "/usr/bin/python3"},
            "children": {
                "machines": {
                    "vars": {"ansible_user": "ops"},
                    "hosts": {host["id"]: {"ansible_host": host["management_address"]} for host in data["hosts"]},
                },
                "edges": {
                    "vars": {"ansible_user": "root"},
                    "hosts": {item["id"]: {"ansible_host": item["management_address"]} for item in data["routers"]},
                },
            },
        }
    }
    documents = {
        "topology.yml": {"catalogue": ["sscc"], **data},
        "profiles.yml": PROFILES,
        "hosts.yml": hosts,
        "people.yml": {"people": [EVERYBODY]},
    }
    for name, document in documents.items():
        (site / name).write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return site


def write_calendar(site: Path, *, begins: timedelta, ends: timedelta) -> None:
    """Today and tomorrow are no trading days, and one window is open from then to then."""
    now = datetime.now(ZONE).replace(tzinfo=None, second=0, microsecond=0)
    days = [{"day": (now + timedelta(days=n)).date(), "state": "closed", "source": "the test"} for n in (-1, 0, 1)]
    window = {
        "id": "now",
        "title": {"zh": "测试窗口", "en": "Window of the test"},
        "kind": "confirmed",
        "number": "测试2026-1",
        "source": "the test",
        "begins": now + begins,
        "ends": now + ends,
        "latest_return": now + ends - timedelta(minutes=5),
    }
    (site / "calendar.yml").write_text(yaml.safe_dump({"days": days, "windows": [window]}), encoding="utf-8")

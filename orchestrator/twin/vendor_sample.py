"""A believable configuration file of a gateway, in the form that the site's profile describes. Pure.

The vendors' real files are not public, so nothing here imitates one. What matters is that the ordered list stands
among other settings, with comments in Chinese in the file's own encoding and line ends, so that an edit which does
not keep everything else byte for byte is seen.
"""

from collections.abc import Callable, Iterator, Sequence

from orchestrator.model.topology import CertificateSpot, ConfigFile, Gateway, ListFormat, fill

Lines = Iterator[str]


def sample(config: ConfigFile, gateway: Gateway, endpoints: Sequence[str], certificate: str | None = None) -> bytes:
    """The file's bytes with this list (`address:port` each) and, where the profile says how, what names the
    certificate. GBK comes with CRLF, as Windows programs write it.
    """
    filled = filled_config(config, gateway)
    pairs = [endpoint.rsplit(":", 1) for endpoint in endpoints]
    lines = list(_FORMATS[config.format](filled, gateway, pairs))
    if filled.certificate and certificate:
        lines = list(_WITH_CERTIFICATE[config.format](filled.certificate, lines, certificate))
    windows = config.encoding.lower() in {"gbk", "gb2312", "gb18030"}
    end = "\r\n" if windows else "\n"
    return "".join(line + end for line in lines).encode(config.encoding, "replace")


def filled_config(config: ConfigFile, gateway: Gateway) -> ConfigFile:
    """The same with the gateway's number and id put in."""
    found: dict[str, object] = {
        name: fill(value, gateway) for name, value in config if isinstance(value, str) and name != "format"
    }
    if config.certificate:
        texts = {name: fill(value, gateway) for name, value in config.certificate if isinstance(value, str)}
        found["certificate"] = config.certificate.model_copy(update=texts)
    return config.model_copy(update=found)


def _entry(config: ConfigFile, address: str, port: str) -> str:
    return config.entry.replace("{address}", address).replace("{port}", port)


def _assignments(config: ConfigFile, pairs: list[list[str]], between: str) -> Lines:
    """The list as one value, or as numbered keys."""
    key = config.key or ""
    entries = [_entry(config, *pair) for pair in pairs]
    if "{n}" not in key:
        yield f"{key}{between}{config.separator.join(entries)}"
        return
    for number, entry in enumerate(entries, 1):
        yield f"{key.replace('{n}', str(number))}{between}{entry}"


def _ini(config: ConfigFile, gateway: Gateway, pairs: list[list[str]]) -> Lines:
    yield f"; {gateway.title.zh} 配置文件"
    yield "[General]"
    yield f"GatewayNo = {gateway.number}"
    yield "LogLevel=3   ; 日志级别:1 错误 2 警告 3 信息"
    yield ""
    yield f"[{config.section}]"
    yield "; 主站服务器列表,自上而下依次尝试"
    yield from _assignments(config, pairs, " = ")
    yield "RetryInterval = 3"
    yield ""
    yield "[Queue]"
    yield "Directory=queue   ; 本地消息队列目录"


def _properties(config: ConfigFile, gateway: Gateway, pairs: list[list[str]]) -> Lines:
    yield f"# {gateway.title.zh} 配置文件"
    yield f"user.id={gateway.number}"
    yield "log.level = info"
    yield ""
    yield "# 主站服务器列表,自上而下依次尝试"
    yield from _assignments(config, pairs, "=")
    yield "# 接收文件目录"
    yield "receive.directory: /data/receive"


def _xml(config: ConfigFile, gateway: Gateway, pairs: list[list[str]]) -> Lines:
    path = (config.element or "").strip("/").split("/")
    address, port = config.attributes
    yield f'<?xml version="1.0" encoding="{config.encoding.upper()}"?>'
    yield f"<!-- {gateway.title.zh} 配置文件 -->"
    for depth, name in enumerate(path):
        yield f"{'  ' * depth}<{name}>"
        if depth == 0:
            yield f'  <Local number="{gateway.number}" logLevel="3"/>'
    inside = "  " * len(path)
    yield f"{inside}<!-- 主站服务器列表,自上而下依次尝试 -->"
    for number, pair in enumerate(pairs, 1):
        yield f'{inside}<{config.item} {address}="{pair[0]}" {port}="{pair[1]}" remark="主站{number}"/>'
    for depth, name in reversed(list(enumerate(path))):
        yield f"{'  ' * depth}</{name}>"


def _json(config: ConfigFile, gateway: Gateway, pairs: list[list[str]]) -> Lines:
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in (config.pointer or "").split("/")[1:]]
    yield "{"
    yield f'  "说明": "{gateway.title.zh} 配置文件",'
    yield f'  "gateway_number": "{gateway.number}",'
    for depth, token in enumerate(tokens[:-1], 1):
        yield f'{"  " * depth}"{token}": {{'
        yield f'{"  " * (depth + 1)}"log_level": 3,'
    inside = "  " * len(tokens)
    yield f'{inside}"{tokens[-1]}": ['
    for index, pair in enumerate(pairs):
        comma = "," if index + 1 < len(pairs) else ""
        yield f"{inside}  {_json_entry(config, *pair)}{comma}"
    yield f"{inside}],"
    yield f'{inside}"备注": "主站服务器列表,自上而下依次尝试"'
    for depth in range(len(tokens) - 1, -1, -1):
        yield f"{'  ' * depth}}}"


def _json_entry(config: ConfigFile, address: str, port: str) -> str:
    """An object where the profile names its members, else a string."""
    if "attributes" not in config.model_fields_set:
        return f'"{_entry(config, address, port)}"'
    names = config.attributes
    return f'{{"{names[0]}": "{address}", "{names[1]}": {port}, "weight": 1}}'


def _delimited(config: ConfigFile, gateway: Gateway, pairs: list[list[str]]) -> Lines:
    yield f"# {gateway.title.zh} 配置文件"
    yield f"number|{gateway.number}"
    yield ""
    yield f"{config.begin}"
    yield "# 自上而下依次使用"
    for pair in pairs:
        yield _entry(config, *pair)
    yield f"{config.end}"
    yield "buffer|4096"


def _in_section(spot: CertificateSpot, lines: list[str], name: str) -> Lines:
    header = f"[{spot.section}]"
    added = f"{spot.key} = {name}   ; 数字证书"
    for line in lines:
        yield line
        if line == header:
            yield added
    if header not in lines:
        yield from ("", header, added)


def _as_property(spot: CertificateSpot, lines: list[str], name: str) -> Lines:
    yield from (*lines, "# 数字证书", f"{spot.key}={name}")


def _on_an_element(spot: CertificateSpot, lines: list[str], name: str) -> Lines:
    """On an element that is there, or on one of its own below the root."""
    element = (spot.element or "").strip("/").split("/")[-1]
    there = any(line.strip().startswith(f"<{element} ") for line in lines)
    for index, line in enumerate(lines):
        if line.strip().startswith(f"<{element} "):
            yield line.replace(f"<{element} ", f'<{element} {spot.attribute}="{name}" ', 1)
        else:
            yield line
        if not there and index and lines[index - 1].startswith("<!--"):
            yield f'  <{element} {spot.attribute}="{name}"/>'


def _as_member(spot: CertificateSpot, lines: list[str], name: str) -> Lines:
    """Beside the list, where its parent is the same; else the parents that are missing are made at the top."""
    *parents, last = (spot.pointer or "").split("/")[1:]
    opening = [f'"{parent}": {{' for parent in parents]
    at = next((i for i, line in enumerate(lines) if line.strip() == opening[-1]), None) if opening else 0
    for index, line in enumerate(lines):
        yield line
        if index == at:
            yield f'    "{last}": "{name}",'
        elif at is None and index == 0:
            yield f'  {" ".join(opening)}"{last}": "{name}"{"}" * len(opening)},'


def _as_line(spot: CertificateSpot, lines: list[str], name: str) -> Lines:
    yield from (lines[0], f"{spot.prefix}{name}", *lines[1:])


_WITH_CERTIFICATE: dict[ListFormat, Callable[[CertificateSpot, list[str], str], Lines]] = {
    ListFormat.INI: _in_section,
    ListFormat.PROPERTIES: _as_property,
    ListFormat.XML: _on_an_element,
    ListFormat.JSON: _as_member,
    ListFormat.DELIMITED: _as_line,
}
_FORMATS: dict[ListFormat, Callable[[ConfigFile, Gateway, list[list[str]]], Lines]] = {
    ListFormat.INI: _ini,
    ListFormat.PROPERTIES: _properties,
    ListFormat.XML: _xml,
    ListFormat.JSON: _json,
    ListFormat.DELIMITED: _delimited,
}

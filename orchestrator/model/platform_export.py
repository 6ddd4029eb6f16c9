"""What the market technology platform has on file of gateways and certificates, as exported (SSE-2.2d)."""

from datetime import date

from orchestrator.model.base import Frozen
from orchestrator.model.topology import GatewayClass


class ExportRow(Frozen):
    """A line of the platform's export. `certificate`: our id where we know it, else the platform's."""

    number: str
    gateway_class: GatewayClass | None
    certificate: str | None
    is_valid: bool
    is_revoked: bool
    state: str
    valid_to: date | None


class PlatformExport(Frozen):
    """The platform's query as read. `name`: the file's."""

    name: str
    rows: tuple[ExportRow, ...]

"""The twin: a simulated copy of a site in network namespaces, from the same inventory that drives production.

A twin is a daemon (see `daemon`); a `Twin` is a handle on it, and holds nothing itself. The public names of
this package are `Twin` and `ensure_sealed`.
"""

from orchestrator.twin.handle import Twin
from orchestrator.twin.sealed import ensure_sealed

__all__ = ["Twin", "ensure_sealed"]

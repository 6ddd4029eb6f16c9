"""Every audit rule over one topology. Pure: what a rule cannot know from the inventory it does not judge."""

from orchestrator.model.topology import Topology
from orchestrator.rules import lines, logins, market_data, remote_dr, server_lists, shanghai
from orchestrator.rules.finding import Finding

RULES = (
    *server_lists.RULES,
    *market_data.RULES,
    *logins.RULES,
    *lines.RULES,
    *remote_dr.RULES,
    *shanghai.RULES,
)


def audit(topology: Topology) -> list[Finding]:
    """Findings of every rule, in the order of the rules and of the inventory."""
    return [finding for rule in RULES for finding in rule.findings(topology)]

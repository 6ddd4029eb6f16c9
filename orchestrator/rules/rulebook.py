"""Every audit rule over the same facts. Pure: what a rule cannot know from them it does not judge."""

from orchestrator.model.audit import Finding
from orchestrator.rules import (
    certificates,
    lines,
    live_gateways,
    live_network,
    logins,
    market_data,
    network,
    platform,
    protection,
    remote_dr,
    server_lists,
    shanghai,
    software,
)
from orchestrator.rules.facts import Facts

RULES = (
    *software.RULES,
    *server_lists.RULES,
    *market_data.RULES,
    *logins.RULES,
    *lines.RULES,
    *network.RULES,
    *protection.RULES,
    *remote_dr.RULES,
    *platform.RULES,
    *shanghai.RULES,
    *certificates.RULES,
)
LIVE_RULES = (*live_gateways.RULES, *live_network.RULES)


def audit(facts: Facts) -> list[Finding]:
    """Findings of every rule, in the order of the rules and of the inventory; of live rules where hosts were read."""
    found = [finding for rule in RULES for finding in rule.findings(facts)]
    if facts.live is None:
        return found
    read_at = {"read_at": facts.live.read_at}
    return found + [item.model_copy(update=read_at) for rule in LIVE_RULES for item in rule.findings(facts)]

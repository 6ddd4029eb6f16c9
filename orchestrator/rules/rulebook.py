"""Every audit rule over the same facts. Pure: what a rule cannot know from them it does not judge."""

from orchestrator.rules import (
    certificates,
    lines,
    live,
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
from orchestrator.rules.finding import Finding

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


def audit(facts: Facts) -> list[Finding]:
    """Findings of every rule, in the order of the rules and of the inventory; of live rules where hosts were read."""
    asked = RULES if facts.live is None else (*RULES, *live.RULES)
    return [finding for rule in asked for finding in rule.findings(facts)]

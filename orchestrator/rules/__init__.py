"""Audit rules over a firm's inventory and records, one or more per clause, and the register of clauses. Pure."""

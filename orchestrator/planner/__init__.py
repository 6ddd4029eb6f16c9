"""Topology + drill + parameters → plan. Pure: no I/O, no clock, no randomness."""

from orchestrator.planner.build import Request, make_plan

__all__ = ["Request", "make_plan"]

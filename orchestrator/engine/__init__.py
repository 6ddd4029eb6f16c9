"""Runs a plan: intent before effect, restoration always."""

from orchestrator.engine.run import Assignment, Engine

__all__ = ["Assignment", "Engine"]

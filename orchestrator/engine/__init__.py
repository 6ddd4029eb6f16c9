"""Runs a plan: intent before effect, restoration always, from any point again."""

from orchestrator.engine.heed import Stops
from orchestrator.engine.log import Assignment
from orchestrator.engine.run import End, Engine

__all__ = ["Assignment", "End", "Engine", "Stops"]

"""Runs a plan: intent before effect, restoration always, from any point again."""

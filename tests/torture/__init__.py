"""Fault tests that are too long for every day: `make torture`."""

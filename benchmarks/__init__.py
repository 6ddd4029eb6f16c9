"""Measurements of our own code, never timed tests: `make bench`."""

"""Builds the objects: where things lie, and what a run is made of."""

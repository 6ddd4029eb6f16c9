"""What-if against the truth: single failures are predicted by the planner, then really made on a twin."""

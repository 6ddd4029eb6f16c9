"""Everything outside the orchestrator. The only place that imports ansible_runner, fabric and testinfra."""

"""What `drillctl serve` does in its rounds. One module per kind of work; each can be ended at any moment."""

"""What stands in the folder of a run, by name."""

PACK, REPORT = "pack", "report"
LEDGER, DEFINITION = "ledger.jsonl", "definition.yml"  # since it was opened
STATEMENTS = "statements"  # what people have signed

"""`python -m orchestrator` is `drillctl`."""

from orchestrator.cli import main

if __name__ == "__main__":
    main()

"""What a guard process is made of: the files of its folder, the ending of processes, and the program itself.

Standard library only, and nothing of ours from outside this package: every guarded call begins by starting it.
`orchestrator.engine.guard` is what the rest of the product uses.
"""

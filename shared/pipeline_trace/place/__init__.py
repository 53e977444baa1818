"""Where a process stands in a trace. Standard library only."""

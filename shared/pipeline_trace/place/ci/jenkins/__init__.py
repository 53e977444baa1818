"""Jenkins: where a build stands in a trace, and where a process inside a build does. Standard library only."""

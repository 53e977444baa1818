"""Jenkins: finds the place of a build in a trace, and of a process inside a build."""

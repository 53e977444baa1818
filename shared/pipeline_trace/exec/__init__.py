"""Runs a command in a span. Standard library only: `exec` must start fast, and work without other packages."""

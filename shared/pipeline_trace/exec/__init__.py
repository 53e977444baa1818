"""A span around a command. Standard library only."""

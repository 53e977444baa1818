"""Finds a change's path, from spans to attempts to steps, and says whether the change can be deployed. See docs/path.md."""

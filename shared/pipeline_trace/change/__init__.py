"""A change's way: from spans to attempts to steps, and whether it can be deployed. docs/path.md."""

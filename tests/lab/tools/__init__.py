"""One module a tool, each with a ``TOOL``. README.md shows one."""

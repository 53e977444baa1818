"""Asks ownership and change on behalf of a page: a trace's headline, and the verdicts of a list."""

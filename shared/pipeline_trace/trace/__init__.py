"""The record: spans, their identifiers and names, and the words in which people speak of deploys. Standard library only."""

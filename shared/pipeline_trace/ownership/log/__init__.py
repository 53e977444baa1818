"""Gives verdicts from what the failed command printed."""

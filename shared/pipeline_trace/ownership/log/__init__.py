"""Judges a failure by what its command printed."""

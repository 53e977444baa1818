"""Compares a run with an earlier one, mostly with the last green one: what is new, gone, slower and failed."""

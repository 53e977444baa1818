"""Turns what a controller says about a build into spans and metrics."""

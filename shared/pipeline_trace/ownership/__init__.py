"""Whose is a failure? Three sources, kept apart: what a log says, what Jenkins and Ansible know, and history."""

from __future__ import annotations

from .verdict import DEV, OPS, UNKNOWN, Verdict

__all__ = ["DEV", "OPS", "UNKNOWN", "Verdict"]

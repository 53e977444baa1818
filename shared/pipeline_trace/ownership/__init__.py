"""Gives verdicts: who should look first at a failure. Three sources: logs, facts from Jenkins and Ansible, and history."""

from __future__ import annotations

from .verdict import DEV, OPS, UNKNOWN, Verdict

__all__ = ["DEV", "OPS", "UNKNOWN", "Verdict"]

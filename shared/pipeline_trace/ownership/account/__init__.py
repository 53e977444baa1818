"""Tells of a failure as a colleague would: an account of what is known around it, in several formats. Does no I/O."""

from __future__ import annotations

from .gather import account_of, account_of_log, account_of_verdict
from .record import Account
from .render import FORMATS, rendered

__all__ = ["FORMATS", "Account", "account_of", "account_of_log", "account_of_verdict", "rendered"]

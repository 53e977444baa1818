"""Shipping processes of a test that tell of open spans soon and often: nobody wants to wait for five seconds, and thirty."""

from __future__ import annotations

import textwrap
from pathlib import Path

import support

FIRST, EVERY = 0.2, 0.6

# The callback and `exec` start the process, so a test cannot hand it anything else.
_SITE = f"""
    import sys

    if "follow" in sys.orig_argv:
        sys.path.insert(0, {str(support.ROOT / "shared")!r})
        from pipeline_trace.delivery import opened, ship

        opened.PACE = opened.Pace(first={FIRST}, every={EVERY})
        ship._BATCH_SECONDS = 0.1
"""


def quick(folder: Path) -> dict[str, str]:
    """Return the variables of such an environment. ``folder``: one of the test's own."""
    site = folder / "pace"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(textwrap.dedent(_SITE), encoding="utf-8")
    return {"PYTHONPATH": str(site)}

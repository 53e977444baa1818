"""The stdout callback of measured runs: prints nothing, and notes when only the end of the run is to come.

Ansible calls the stdout callback first, so the note is made before any other callback's ``v2_playbook_on_stats``.
"""

from __future__ import annotations

from ansible.plugins.callback import CallbackBase
from marks import Marks

DOCUMENTATION = """
name: bench_probe
type: stdout
short_description: Prints nothing, measures
description: [Prints nothing and notes when a run ends.]
"""


class CallbackModule(CallbackBase):
    """Implements as little as it can, so that it costs as little as it can."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "bench_probe"

    def __init__(self) -> None:
        super().__init__()
        self._marks = Marks()

    def v2_playbook_on_stats(self, stats: object) -> None:
        """See Marks.last_hook."""
        self._marks.last_hook()

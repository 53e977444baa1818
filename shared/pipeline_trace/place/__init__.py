"""Finds the place of a process or build in a trace: the trace id and the parent span.

Standard library only, in all subpackages too: this package runs inside ansible-playbook.
"""

"""Writes spans to journals on disk, and delivers journals to a receiver or to the store.

Standard library only, except in ``destinations``: this package runs inside ansible-playbook.
"""

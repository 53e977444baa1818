"""The data model: spans, their ids and attribute names, and the words that people use for deploys.

Standard library only: this package runs inside ansible-playbook.
"""

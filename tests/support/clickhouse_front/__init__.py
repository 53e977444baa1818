"""ClickHouse's HTTP interface in front of chdb, the engine in process: a program of its own, in .venvs/engine.

It imports nothing of the project's. ``support.clickhouse`` starts it.
"""

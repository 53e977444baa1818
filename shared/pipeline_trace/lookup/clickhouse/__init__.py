"""Answers questions from ClickHouse, out of the table that the OpenTelemetry Collector's exporter fills."""

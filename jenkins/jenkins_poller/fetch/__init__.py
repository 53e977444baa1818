"""Requests to the controller, and what its answers mean."""

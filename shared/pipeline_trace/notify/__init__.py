"""Tells a team by a webhook when a failure begins, when it changes and when it is over."""

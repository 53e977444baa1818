"""The polling loop: finds new builds, keeps the poller's state, and polls several controllers in one process."""

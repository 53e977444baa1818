"""The loop: which builds are new, what the poller remembers, and the process that polls several controllers."""

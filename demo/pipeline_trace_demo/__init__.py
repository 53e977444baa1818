"""A Jenkins to try pipeline-trace with: real recordings, replayed, and real playbooks."""

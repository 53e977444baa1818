"""The demo: replays a recorded Jenkins controller and runs real playbooks. The tests use the replay too."""

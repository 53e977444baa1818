"""The cases of Ansible by where the fault is, and the playbooks that they run."""

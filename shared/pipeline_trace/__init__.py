"""The core of pipeline-trace: turns what Ansible's callback or the Jenkins poller saw into spans and gets them delivered."""

__version__ = "0.1.0"

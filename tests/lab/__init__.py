"""The fault lab: real tools, faults put in on purpose, and the labels that the faults decide. README.md tells more."""

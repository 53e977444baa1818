"""From a journal on the disk to a receiver. Standard library only, apart from the destinations."""

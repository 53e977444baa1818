"""One file a CI system: from the environment to the run that this process is part of."""

"""From what a controller says of a build to its spans and figures."""

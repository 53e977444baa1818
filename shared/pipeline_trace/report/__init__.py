"""Shows a trace: as one HTML page, or as a tree in the terminal."""

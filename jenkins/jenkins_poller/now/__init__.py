"""What a controller has queued and runs right now."""

"""What a controller has queued and running now."""

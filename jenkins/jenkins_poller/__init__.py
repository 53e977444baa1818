"""The Jenkins poller: reads builds from a controller and turns them into spans."""

"""The Jenkins poller: reads what a controller answers and makes spans of it."""

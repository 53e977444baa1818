"""The controller's answers: what is asked for, and what they say."""

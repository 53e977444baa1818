"""What happened over time: to a service, a job, a host and the platform. Each figure has what it was counted from."""

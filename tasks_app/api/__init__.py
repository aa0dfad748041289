"""What does a request do to tasks? The HTTP API: everything that knows of requests."""

"""What holds for HTTP, whatever a path is about."""

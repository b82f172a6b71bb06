"""What the service does when it is pushed over the edge, or killed, and whether everything answered is there."""

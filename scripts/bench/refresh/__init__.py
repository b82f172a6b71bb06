"""What a refresh costs, and how that grows with what changed and with the number of users."""

"""What a person or make runs."""

"""Live updates: subscriptions, changes, and their delivery."""

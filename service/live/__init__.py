"""Live updates: who listens, what changed, and its delivery."""

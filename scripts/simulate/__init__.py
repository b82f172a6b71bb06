"""The simulator: plausible people whose wearables send readings, and a check of what the service made of them."""

"""Simulate people whose wearables send readings, and check the answers of the service."""

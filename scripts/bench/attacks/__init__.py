"""Measures what an attacker on the network does to others."""

"""Processes, and the protocols that uvicorn speaks."""

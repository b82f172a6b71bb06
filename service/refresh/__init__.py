"""The elected process that keeps rollups fresh and does the upkeep."""

"""The way of readings and events into the database."""

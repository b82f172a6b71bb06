"""Tests of the embedded database, against real gateway processes."""

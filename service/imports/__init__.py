"""Files that people have, read as readings: one module for each format, behind one interface (adapter.py)."""

"""Benchmarks of ingest, answers, refreshes, live updates and overload. Run by `python -m scripts.bench`."""

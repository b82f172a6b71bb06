"""Import files of readings through HTTP in chunks, resumably. Run by `python -m scripts.load`."""

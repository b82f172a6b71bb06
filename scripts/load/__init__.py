"""Import files of readings through HTTP, piece by piece, resumably. Started by `python -m scripts.load`."""

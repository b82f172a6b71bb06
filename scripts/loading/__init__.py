"""Import files of readings through HTTP, piece by piece, resumably. Started by scripts/load.py."""

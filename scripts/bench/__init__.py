"""How fast questions are answered, and what keeping the answers fast costs. Started by `python -m scripts.bench`."""

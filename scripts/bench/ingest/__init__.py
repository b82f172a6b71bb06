"""How fast readings are stored: psql's COPY, Hyperpulse, and what one would take instead, in one run."""

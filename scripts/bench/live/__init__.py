"""How soon live clients are told, what it takes, and what it costs those who write."""

"""How soon live clients receive readings, what that takes of the processor, and what it costs the writers."""

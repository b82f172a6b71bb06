"""HTTP itself: errors, formats, limits and streaming, independent of any path."""

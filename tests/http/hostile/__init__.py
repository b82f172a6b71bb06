"""Hostile input: never the server's fault, never a hang, and afterwards everything works as before.

What is plainly wrong must be refused; what is merely strange may be accepted or refused, but calmly.
"""

DEEP = 10_000  # brackets inside one another
MEGABYTES = 10 * 2**20  # bytes, more than a single object or field may have

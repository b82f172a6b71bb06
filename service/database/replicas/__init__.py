"""Answers from replicas of the database: positions in the log, and who has come to them."""

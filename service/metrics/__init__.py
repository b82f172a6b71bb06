"""What the process counts, and what it and the database report."""

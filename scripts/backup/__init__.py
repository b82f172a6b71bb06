"""Back up and restore: portable dumps of the database, and base backups of its server for a point in time."""

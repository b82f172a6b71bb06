"""The way to the database: pool, statements by name, COPY, binary parameters."""

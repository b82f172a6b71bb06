"""Programs that are run by make or on the command line."""

"""What readings, events and devices are: their models, fields and limits."""

"""What a failover of the database does to clients: hosts in namespaces, faults, and what was answered before them."""

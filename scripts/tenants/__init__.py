"""Which database each tenant is in, and moving a tenant from one to another while the service runs."""

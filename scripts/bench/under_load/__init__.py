"""What happens while clients send, for `bench failover` and `bench machines`."""

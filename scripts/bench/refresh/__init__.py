"""The cost of a refresh, and its growth with the changes and with the number of users."""

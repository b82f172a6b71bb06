"""The service under overload and kill -9, and whether everything that it acknowledged is stored."""

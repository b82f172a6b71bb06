"""Black-box tests of the HTTP contract."""

"""The rate that can be kept up for ever: phones that upload late, with refreshes going on beside them."""

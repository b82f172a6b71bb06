"""Small programs that one might write instead of Hyperpulse. Started by make bench."""

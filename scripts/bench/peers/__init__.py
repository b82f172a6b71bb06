"""What one would write or install instead of Hyperpulse, each as a small honest program. Started by make bench."""

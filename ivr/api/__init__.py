"""What the command line and other processes ask a running engine."""

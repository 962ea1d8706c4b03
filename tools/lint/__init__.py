"""What `make lint` checks that no ready linter knows."""

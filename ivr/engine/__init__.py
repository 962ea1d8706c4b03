"""The engine's process: the list of its parts, what it remembers, and the supervisor that keeps it running."""

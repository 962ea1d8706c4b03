"""The city's files: read with their lines, checked, and built into the hotline book."""

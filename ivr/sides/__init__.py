"""The sides of a call, and what is done about one that falls silent."""

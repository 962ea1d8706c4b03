"""Room for callers: how many are let in, who was refused, and why."""

"""The ticket: numbering, life cycle, what a call leaves behind."""

"""Recordings: closed when a talk is over, written down as words."""

"""Faults in an Asterisk program: recognised, mended in a copy, proved by a call."""

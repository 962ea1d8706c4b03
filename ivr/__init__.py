"""The engine behind 12345: call handling for a city's hotline, on Asterisk."""

__version__ = "0.1.0"

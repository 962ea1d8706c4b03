"""Calls that nobody told us of, found in what Asterisk wrote down."""

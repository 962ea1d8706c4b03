"""Prompts out, words in, telephone audio."""

"""Alembic migrations, from the first table on."""

HEAD = "0003"
"""The newest revision, so that a start need not load Alembic to know there is nothing to do."""

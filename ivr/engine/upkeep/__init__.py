"""Keeping the processes of one hotline running, and ending them."""

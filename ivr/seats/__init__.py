"""Seats: who sits where, who may take a call, pauses and wrap-up, phones that went."""

"""Recipe that makes the shipped prompt recordings and the hold music; never runs during a call."""

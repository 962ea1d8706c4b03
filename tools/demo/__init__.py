"""``make demo``: a synthetic citizen calls, a synthetic operator answers, the ticket is shown."""

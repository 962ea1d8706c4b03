"""How long somebody waits for an event before it counts as not having come.

A wait ends with the event, so patience costs a test that passes nothing; on a busy machine it is what tells
slow from wrong.
"""

PATIENCE_S = 60.0

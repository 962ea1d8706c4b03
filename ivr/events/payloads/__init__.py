"""What the data of each kind of event are: one typed payload a kind, units included.

``docs/events.md`` is drawn from here (``python -m tools.event_catalogue``).
"""

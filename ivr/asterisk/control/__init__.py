"""What Asterisk is told to do: queue members, rooms, placeholders."""

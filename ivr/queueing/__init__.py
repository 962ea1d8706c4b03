"""What the engine does for those who wait: callbacks in their turn, and a message where nobody is there."""

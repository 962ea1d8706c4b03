"""What the city configured: lines, queues, seats, operators. Pure data and look-ups."""

"""What happened, in order: the events of the journal."""

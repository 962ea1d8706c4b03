"""Programs that Asterisk starts by itself, for when the engine cannot be reached."""

"""An Asterisk of our own: found, unpacked, configured, reloaded."""

"""Those who knock and are not known: the first of each is written down, the rest are counted."""

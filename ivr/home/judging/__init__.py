"""Every setting is judged before anything starts: all faults at once, each in one sentence."""

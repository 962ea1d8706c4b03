"""The shift leader's part: who leads, the mode of the day, the watch over shifts."""

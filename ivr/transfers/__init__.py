"""Three parties: consult, conference, expert seats, sub-centres, units, 110 119 120 122."""

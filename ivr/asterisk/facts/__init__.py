"""What Asterisk tells: events, records and files, turned into facts."""

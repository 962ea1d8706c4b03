"""Names of lines: which one a caller means by what they say."""

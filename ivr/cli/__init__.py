"""The commands of ``ivr``, a file a topic."""

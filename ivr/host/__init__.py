"""The machine we run on: processes, folders, who may read what, text for a terminal."""

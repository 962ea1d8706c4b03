"""FastAGI: bytes, sessions, the server."""

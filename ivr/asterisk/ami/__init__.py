"""The manager interface (AMI): bytes, actions, the link that comes back."""

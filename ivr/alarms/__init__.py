"""Alarms: what a person must look at now."""

"""What is counted and what can be expected: staffing, forecasts, a simulated day.  Pure."""

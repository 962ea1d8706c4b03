"""Taking a changed configuration into service while calls go on: versions, history, the switch, the way back."""

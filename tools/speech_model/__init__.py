"""Recipe of the demonstration speech model that is shipped in ivr/speech/models/demonstration.

Run it with ``python -m tools.speech_model``; docs/speech-model.md tells how and why.
"""

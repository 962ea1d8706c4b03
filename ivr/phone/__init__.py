"""What Asterisk asks over FastAGI.  Adapters only: AGI sessions into the domain's words and back."""

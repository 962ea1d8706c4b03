"""The wires to Asterisk, tested without Asterisk: defects, cutting, injection, states."""

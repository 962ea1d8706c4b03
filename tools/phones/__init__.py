"""Real SIP phones for tests, benchmarks and the demonstration: SIPp on loopback.

They dial only the address they are given, a bounded number of times, and end when they are told.
"""

from tools.phones.sipp import Phones, Running, free_udp_port, sipp_program

__all__ = ["Phones", "Running", "free_udp_port", "sipp_program"]

"""The life of a call and of a seat, as tables.

A row reads: in this state, when this happens, the next state is that.  What is not in the table
does not change the state.  Every state of a call has ``hung_up`` as its exit, and Asterisk always
says when a channel ends (reconciliation says it when Asterisk could not).  Only a call that waits
for its callback outlives that: its exits are the callback itself (``ivr/calls/callback.py``).  A
seat's wrap-up has a deadline, and ends when that is over.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from ivr.events.event import Kind


class CallState(enum.StrEnum):
    """Where a call is."""

    GREETING = "greeting"
    WAITING = "waiting"
    RINGING = "ringing"
    TALKING = "talking"
    THREE_WAY = "three_way"
    HANDED_OFF = "handed_off"
    SURVEYING = "surveying"
    VOICEMAIL = "voicemail"
    CALLBACK = "callback"
    ENDED = "ended"


CALL_TRANSITIONS: Mapping[CallState, Mapping[Kind, CallState]] = {
    CallState.GREETING: {
        Kind.QUEUED: CallState.WAITING,
        Kind.SEAT_RINGING: CallState.RINGING,
        Kind.ANSWERED: CallState.TALKING,
        Kind.HANDED_OFF: CallState.HANDED_OFF,
        Kind.HUNG_UP: CallState.ENDED,
    },
    CallState.WAITING: {
        Kind.QUEUED: CallState.WAITING,
        Kind.SEAT_RINGING: CallState.RINGING,
        Kind.ANSWERED: CallState.TALKING,
        Kind.HANDED_OFF: CallState.HANDED_OFF,
        Kind.VOICEMAIL_LEFT: CallState.VOICEMAIL,
        Kind.CALLBACK_CLAIMED: CallState.CALLBACK,
        Kind.HUNG_UP: CallState.ENDED,
    },
    CallState.RINGING: {
        Kind.SEAT_RINGING: CallState.RINGING,
        Kind.SEAT_NO_ANSWER: CallState.WAITING,
        Kind.ANSWERED: CallState.TALKING,
        Kind.QUEUED: CallState.WAITING,
        Kind.HANDED_OFF: CallState.HANDED_OFF,
        Kind.VOICEMAIL_LEFT: CallState.VOICEMAIL,
        Kind.CALLBACK_CLAIMED: CallState.CALLBACK,
        Kind.HUNG_UP: CallState.ENDED,
    },
    CallState.TALKING: {
        Kind.OPERATOR_LEFT: CallState.SURVEYING,
        Kind.THREE_WAY: CallState.THREE_WAY,
        Kind.TAKEN_OVER: CallState.TALKING,
        Kind.QUEUED: CallState.WAITING,
        Kind.HUNG_UP: CallState.ENDED,
    },
    CallState.THREE_WAY: {
        Kind.OPERATOR_LEFT: CallState.HANDED_OFF,
        Kind.THIRD_LEFT: CallState.TALKING,
        Kind.TAKEN_OVER: CallState.THREE_WAY,
        Kind.QUEUED: CallState.WAITING,
        Kind.HUNG_UP: CallState.ENDED,
    },
    CallState.HANDED_OFF: {
        Kind.THIRD_LEFT: CallState.SURVEYING,
        Kind.TAKEN_OVER: CallState.THREE_WAY,
        Kind.CALLER_KEPT: CallState.WAITING,
        Kind.QUEUED: CallState.WAITING,
        Kind.HUNG_UP: CallState.ENDED,
    },
    CallState.SURVEYING: {
        Kind.HANDED_OFF: CallState.HANDED_OFF,
        Kind.CALLER_KEPT: CallState.WAITING,
        Kind.QUEUED: CallState.WAITING,
        Kind.HUNG_UP: CallState.ENDED,
    },
    CallState.VOICEMAIL: {
        Kind.QUEUED: CallState.WAITING,
        Kind.HANDED_OFF: CallState.HANDED_OFF,
        Kind.CALLBACK_CLAIMED: CallState.CALLBACK,
        Kind.HUNG_UP: CallState.ENDED,
    },
    CallState.CALLBACK: {
        Kind.HUNG_UP: CallState.CALLBACK,
        Kind.CALLBACK_TRIED: CallState.CALLBACK,
        Kind.CALLBACK_UNREACHED: CallState.CALLBACK,
        Kind.CALLBACK_ANSWERED: CallState.TALKING,
        Kind.CALLBACK_FAILED: CallState.ENDED,
    },
    CallState.ENDED: {},
}


class SeatState(enum.StrEnum):
    """Whether the person on a seat can be reached."""

    LOGGED_OUT = "logged_out"
    READY = "ready"
    WRAP_UP = "wrap_up"
    PAUSED = "paused"


SEAT_TRANSITIONS: Mapping[SeatState, Mapping[Kind, SeatState]] = {
    SeatState.LOGGED_OUT: {Kind.LOGGED_IN: SeatState.READY},
    SeatState.READY: {
        Kind.LOGGED_OUT: SeatState.LOGGED_OUT,
        Kind.PAUSED: SeatState.PAUSED,
        Kind.WRAP_UP_STARTED: SeatState.WRAP_UP,
    },
    SeatState.WRAP_UP: {
        Kind.LOGGED_OUT: SeatState.LOGGED_OUT,
        Kind.PAUSED: SeatState.PAUSED,
        Kind.WRAP_UP_STARTED: SeatState.WRAP_UP,
        Kind.WRAP_UP_ENDED: SeatState.READY,
    },
    SeatState.PAUSED: {
        Kind.LOGGED_OUT: SeatState.LOGGED_OUT,
        Kind.PAUSED: SeatState.PAUSED,
        Kind.RESUMED: SeatState.READY,
    },
}

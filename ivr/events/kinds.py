"""The kinds of events: everything that the journal knows to have happened.

A kind is a verb in the past.  What its data are says :mod:`ivr.events.payloads`.
"""

from __future__ import annotations

import enum
from typing import cast


class Kind(enum.StrEnum):
    """Everything the journal knows to have happened."""

    # -- a call --------------------------------------------------------------------------------
    CALL_STARTED = "call_started"
    GREETED = "greeted"
    LINE_CHOSEN = "line_chosen"
    PLACED = "placed"
    QUEUED = "queued"
    BACK_TO_GENERAL_QUEUE = "back_to_general_queue"
    SEAT_RINGING = "seat_ringing"
    SEAT_NO_ANSWER = "seat_no_answer"
    ANSWERED = "answered"
    OPERATOR_LEFT = "operator_left"
    HUNG_UP = "hung_up"
    SIDE_SILENT = "side_silent"
    SIDE_HEARD_AGAIN = "side_heard_again"
    SIDE_GONE = "side_gone"
    LISTENED = "listened"
    TAKE_OVER_WANTED = "take_over_wanted"
    TAKEN_OVER = "taken_over"
    VOICEMAIL_LEFT = "voicemail_left"
    SURVEYED = "surveyed"
    ALARM_NOTED = "alarm_noted"
    # -- its recording -------------------------------------------------------------------------
    TRACK_BEGUN = "track_begun"
    TRACK_NOT_CLOSED = "track_not_closed"
    MESSAGE_NOT_CLOSED = "message_not_closed"
    RECORDING_CLOSED = "recording_closed"
    RECORDING_FAILED = "recording_failed"
    TRANSCRIPT_PENDING = "transcript_pending"
    TRANSCRIPT_DONE = "transcript_done"
    TRANSCRIPT_FAILED = "transcript_failed"
    # -- third parties -------------------------------------------------------------------------
    TRANSFER_WANTED = "transfer_wanted"
    TRANSFER_REFUSED = "transfer_refused"
    EMERGENCY_WANTED = "emergency_wanted"
    HELP_WANTED = "help_wanted"
    HELP_ROUTE_TRIED = "help_route_tried"
    NEXT_ROUTE = "next_route"
    CALLER_HELD = "caller_held"
    THIRD_RINGING = "third_ringing"
    THIRD_ANSWERED = "third_answered"
    THIRD_ACCEPTED = "third_accepted"
    THIRD_REFUSED = "third_refused"
    THIRD_MUTED = "third_muted"
    THIRD_DROPPED = "third_dropped"
    THIRD_LEFT = "third_left"
    TRANSFER_COMPLETED = "transfer_completed"
    TRANSFER_CANCELLED = "transfer_cancelled"
    THREE_WAY = "three_way"
    CALLER_BACK = "caller_back"
    CALLER_KEPT = "caller_kept"
    LEAVE_WANTED = "leave_wanted"
    HANDED_OFF = "handed_off"
    EMERGENCY_FAILED = "emergency_failed"
    GATHER_WANTED = "gather_wanted"
    GATHER_SENT = "gather_sent"
    GATHER_OVER = "gather_over"
    SENT_AGAIN = "sent_again"
    ROOM_ENTERED = "room_entered"
    ROOM_LEFT = "room_left"
    CALLER_GONE = "caller_gone"
    # -- callbacks -----------------------------------------------------------------------------
    CALLBACK_CLAIMED = "callback_claimed"
    CALLBACK_ALREADY_OPEN = "callback_already_open"
    CALLBACK_REFUSED = "callback_refused"
    CALLBACK_WITHHELD = "callback_withheld"
    CALLBACK_LEFT_TO_PERSON = "callback_left_to_person"
    CALLBACK_TRIED = "callback_tried"
    CALLBACK_ANSWERED = "callback_answered"
    CALLBACK_UNREACHED = "callback_unreached"
    CALLBACK_FAILED = "callback_failed"
    # -- a seat --------------------------------------------------------------------------------
    LOGGED_IN = "logged_in"
    LOGGED_OUT = "logged_out"
    PAUSED = "paused"
    RESUMED = "resumed"
    WRAP_UP_STARTED = "wrap_up_started"
    WRAP_UP_ENDED = "wrap_up_ended"
    PIN_REFUSED = "pin_refused"
    LISTEN_REFUSED = "listen_refused"
    SHIFT_OVER = "shift_over"
    # -- what people do with a ticket -------------------------------------------------------------
    TICKET_DISPATCHED = "ticket_dispatched"
    # -- a call or a seat ------------------------------------------------------------------------
    CLOCK_SET = "clock_set"
    # -- the hotline ---------------------------------------------------------------------------
    MODE_SET = "mode_set"
    MODE_REFUSED = "mode_refused"
    ALARM_RAISED = "alarm_raised"
    ALARM_CLEARED = "alarm_cleared"
    APPLIED = "applied"
    CALL_REFUSED = "call_refused"
    # -- of before -----------------------------------------------------------------------------
    NOTED = "noted"
    """Nobody writes it any more: :mod:`ivr.events.notes` reads it."""


class _NewerKind(str):
    """A kind that a newer version knows and we do not."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """Its name, as of a :class:`Kind`."""
        return str(self)


KINDS = frozenset(Kind)


def kind_of(name: str) -> Kind:
    """Return the kind of a name; for one of a newer version, what equals no kind and has its name."""
    return Kind(name) if name in KINDS else cast(Kind, _NewerKind(name))

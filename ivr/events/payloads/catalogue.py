"""Which payload each kind has, and in whose stream it is told."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.events.kinds import Kind
from ivr.events.payloads import callbacks, calls, hotline, recordings, seats, tickets, transfers
from ivr.events.payloads.payload import Payload
from ivr.events.streams import StreamType

Table = Mapping[Kind, type[Payload]]

CALL: Table = {
    Kind.CALL_STARTED: calls.CallStarted,
    Kind.GREETED: calls.Greeted,
    Kind.LINE_CHOSEN: calls.LineChosen,
    Kind.PLACED: calls.Placed,
    Kind.QUEUED: calls.Queued,
    Kind.BACK_TO_GENERAL_QUEUE: calls.BackToGeneralQueue,
    Kind.SEAT_RINGING: calls.SeatRinging,
    Kind.SEAT_NO_ANSWER: calls.SeatNoAnswer,
    Kind.ANSWERED: calls.Answered,
    Kind.OPERATOR_LEFT: calls.OperatorLeft,
    Kind.HUNG_UP: calls.HungUp,
    Kind.SIDE_SILENT: calls.SideSilent,
    Kind.SIDE_HEARD_AGAIN: calls.SideHeardAgain,
    Kind.SIDE_GONE: calls.SideGone,
    Kind.LISTENED: calls.Listened,
    Kind.TAKE_OVER_WANTED: calls.TakeOverWanted,
    Kind.TAKEN_OVER: calls.TakenOver,
    Kind.VOICEMAIL_LEFT: calls.VoicemailLeft,
    Kind.SURVEYED: calls.Surveyed,
    Kind.ALARM_NOTED: calls.AlarmNoted,
}

RECORDING: Table = {
    Kind.TRACK_BEGUN: recordings.TrackBegun,
    Kind.TRACK_NOT_CLOSED: recordings.TrackNotClosed,
    Kind.MESSAGE_NOT_CLOSED: recordings.MessageNotClosed,
    Kind.RECORDING_CLOSED: recordings.RecordingClosed,
    Kind.RECORDING_FAILED: recordings.RecordingFailed,
    Kind.TRANSCRIPT_PENDING: recordings.TranscriptPending,
    Kind.TRANSCRIPT_DONE: recordings.TranscriptDone,
    Kind.TRANSCRIPT_FAILED: recordings.TranscriptFailed,
}

TRANSFER: Table = {
    Kind.TRANSFER_WANTED: transfers.TransferWanted,
    Kind.TRANSFER_REFUSED: transfers.TransferRefused,
    Kind.EMERGENCY_WANTED: transfers.EmergencyWanted,
    Kind.HELP_WANTED: transfers.HelpWanted,
    Kind.HELP_ROUTE_TRIED: transfers.HelpRouteTried,
    Kind.NEXT_ROUTE: transfers.NextRoute,
    Kind.CALLER_HELD: transfers.CallerHeld,
    Kind.THIRD_RINGING: transfers.ThirdRinging,
    Kind.THIRD_ANSWERED: transfers.ThirdAnswered,
    Kind.THIRD_ACCEPTED: transfers.ThirdAccepted,
    Kind.THIRD_REFUSED: transfers.ThirdRefused,
    Kind.THIRD_MUTED: transfers.ThirdMuted,
    Kind.THIRD_DROPPED: transfers.ThirdDropped,
    Kind.THIRD_LEFT: transfers.ThirdLeft,
    Kind.TRANSFER_COMPLETED: transfers.TransferCompleted,
    Kind.TRANSFER_CANCELLED: transfers.TransferCancelled,
    Kind.THREE_WAY: transfers.ThreeWay,
    Kind.CALLER_BACK: transfers.CallerBack,
    Kind.CALLER_KEPT: transfers.CallerKept,
    Kind.LEAVE_WANTED: transfers.LeaveWanted,
    Kind.HANDED_OFF: transfers.HandedOff,
    Kind.EMERGENCY_FAILED: transfers.EmergencyFailed,
    Kind.GATHER_WANTED: transfers.GatherWanted,
    Kind.GATHER_SENT: transfers.GatherSent,
    Kind.GATHER_OVER: transfers.GatherOver,
    Kind.SENT_AGAIN: transfers.SentAgain,
    Kind.ROOM_ENTERED: transfers.RoomEntered,
    Kind.ROOM_LEFT: transfers.RoomLeft,
    Kind.CALLER_GONE: transfers.CallerGone,
}

CALLBACK: Table = {
    Kind.CALLBACK_CLAIMED: callbacks.CallbackClaimed,
    Kind.CALLBACK_ALREADY_OPEN: callbacks.CallbackAlreadyOpen,
    Kind.CALLBACK_REFUSED: callbacks.CallbackRefused,
    Kind.CALLBACK_WITHHELD: callbacks.CallbackWithheld,
    Kind.CALLBACK_LEFT_TO_PERSON: callbacks.CallbackLeftToPerson,
    Kind.CALLBACK_TRIED: callbacks.CallbackTried,
    Kind.CALLBACK_ANSWERED: callbacks.CallbackAnswered,
    Kind.CALLBACK_UNREACHED: callbacks.CallbackUnreached,
    Kind.CALLBACK_FAILED: callbacks.CallbackFailed,
}

SEAT: Table = {
    Kind.LOGGED_IN: seats.LoggedIn,
    Kind.LOGGED_OUT: seats.LoggedOut,
    Kind.PAUSED: seats.Paused,
    Kind.RESUMED: seats.Resumed,
    Kind.WRAP_UP_STARTED: seats.WrapUpStarted,
    Kind.WRAP_UP_ENDED: seats.WrapUpEnded,
    Kind.PIN_REFUSED: seats.PinRefused,
    Kind.LISTEN_REFUSED: seats.ListenRefused,
    Kind.SHIFT_OVER: seats.ShiftOver,
}

TICKET: Table = {Kind.TICKET_DISPATCHED: tickets.TicketDispatched}

CLOCK: Table = {Kind.CLOCK_SET: hotline.ClockSet}

HOTLINE: Table = {
    Kind.MODE_SET: hotline.ModeSet,
    Kind.MODE_REFUSED: hotline.ModeRefused,
    Kind.ALARM_RAISED: hotline.AlarmRaised,
    Kind.ALARM_CLEARED: hotline.AlarmCleared,
    Kind.APPLIED: hotline.Applied,
}

REFUSED: Table = {Kind.CALL_REFUSED: hotline.CallRefused}

OF_STREAM: Mapping[StreamType, Mapping[str, Table]] = {
    StreamType.CALL: {
        "a call": CALL,
        "its recording": RECORDING,
        "third parties": TRANSFER,
        "callbacks": CALLBACK,
    },
    StreamType.SEAT: {"a seat": SEAT, "the clock, in the streams of calls too": CLOCK},
    StreamType.TICKET: {"what people do with a ticket": TICKET},
    StreamType.HOTLINE: {"the hotline": HOTLINE},
    StreamType.REFUSED: {"calls that were not let in": REFUSED},
}
"""The tables of each type of stream, by what they are about."""

PAYLOADS: Table = {
    kind: payload
    for tables in OF_STREAM.values()
    for table in tables.values()
    for kind, payload in table.items()
} | {Kind.NOTED: hotline.Noted}
"""The payload of every kind."""

STREAMS: Mapping[Kind, StreamType] = {
    kind: stream for stream, tables in OF_STREAM.items() for table in tables.values() for kind in table
}
"""In whose stream a kind is told; ``noted`` was told in any."""

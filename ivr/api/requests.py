"""What a running engine answers to the ``ivr`` command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ivr import __version__
from ivr.api.socket import Answer, Held
from ivr.api.stream import Stream
from ivr.asterisk.ami.link import LinkState
from ivr.calls.projection import call_row
from ivr.calls.states import SeatState
from ivr.engine.engine import Engine
from ivr.errors import HotlineError
from ivr.events.actors import ADMINISTRATOR
from ivr.rollout.prepare import place_fingerprint
from ivr.rollout.states import ApplyRefused
from ivr.seats.ports import Phone, QueueStatus
from ivr.seats.projection import seat_row
from ivr.transfers.targets import Targets

LIVE, SYNCING, DOWN = "live", "syncing", "down"
_NOTHING = "", ""
_BUSY = {Phone.TALKS: "talking", Phone.BUSY: "talking", Phone.RINGS: "ringing"}


class Answers:
    """Answers by request name.

    Args:
        engine: the running engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> dict[str, Answer]:
        """Return the coroutine function of each request."""
        return {
            "alive": self.alive,
            "status": self.status,
            "capacity": self.capacity,
            "seats": self.seats,
            "operators": self.operators,
            "queues": self.queues,
            "login": self.login,
            "logout": self.logout,
            "pause": self.pause,
            "resume": self.resume,
            "mode": self.mode,
            "set_mode": self.set_mode,
            "alarms": self.alarms,
            "alarm_done": self.alarm_done,
            "reconcile": self.reconcile,
            "audit": self.audit,
            "prompts": self.prompts,
            "end_calls": self.end_calls,
            "transfer": self.transfer,
            "transfer_state": self.transfer_state,
            "transfer_targets": self.transfer_targets,
            "open_calls": self.open_calls,
            "can_apply": self.can_apply,
            "apply": self.apply,
        }

    def held(self) -> dict[str, Held]:
        """Return who answers each request whose connection is held."""
        engine = self._engine
        return {"subscribe": Stream(engine.memory.journal, engine.calls.events, self.snapshot)}

    def snapshot(self) -> dict[str, Any]:
        """Return calls, seats, mode and alarms as they are this moment; nothing outside is asked."""
        self._require_restored()
        calls, people = self._engine.calls, self._engine.people
        return {
            "calls": [call_row(call) for call in calls.open()],
            "seats": [seat_row(calls.seat(seat.id)) for seat in self._engine.book.seats],
            "mode": people.modes.current,
            "alarms": [
                {"alarm": one.alarm, "about": one.about, "since": one.since} for one in people.alarms.active
            ],
        }

    async def alive(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Return that the event loop turns, and whether Asterisk answers it."""
        return {"pid": os.getpid(), "asterisk": self._engine.link.live}

    async def status(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parts the engine knows of; the Asterisk process is the supervisor's."""
        engine = self._engine
        link = engine.link
        ami = {LinkState.LIVE: LIVE, LinkState.DOWN: DOWN}.get(link.state, SYNCING)
        why = link.reason, link.reason_zh
        if link.state is LinkState.LIVE:
            lag = f"{link.lag_s:.3f}" if link.late and link.lag_s is not None else ""
            why = (f"heartbeats are late: {lag} s", f"心跳延迟：{lag} 秒") if lag else _NOTHING
        memory, speech = engine.memory, engine.transcriber.status
        trouble = memory.trouble, memory.trouble_zh
        return {
            "engine": _part(LIVE, _NOTHING, os.getpid(), version=__version__),
            "ami": _part(ami, why, None, lag_s=link.lag_s, asterisk=engine.asterisk_version),
            "fastagi": _part(LIVE, _NOTHING, os.getpid(), port=engine.fastagi.port),
            "database": _part(DOWN if trouble[0] else LIVE, trouble, None),
            "speech": _part(
                str(speech.state),
                (speech.reason, speech.reason_zh),
                speech.pid,
                demonstration=speech.demonstration,
            ),
        }

    async def capacity(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Return how many callers there are of how many that are admitted, and how many were refused today."""
        return await self._engine.admission.told()

    async def seats(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return every seat with who sits there and whether its phone is there."""
        engine = self._engine
        self._require_restored()
        status = await self._queue_status()
        present = await engine.floor.registered() if status else set()
        seats = []
        for seat in engine.book.seats:
            record = engine.calls.seat(seat.id)
            state = record.state.value
            if record.state is not SeatState.LOGGED_OUT:
                state = _BUSY.get(status.phone(seat.username), state) if status else state
            seats.append(
                {
                    "seat": seat.id,
                    "extension": seat.extension,
                    "username": seat.username,
                    "registered": seat.username in present,
                    "operator": record.operator,
                    "state": state,
                    "reason": record.reason or engine.people.refusing.hold(record),
                    **self._duty(seat.id, record.operator),
                }
            )
        return seats

    def _duty(self, seat_id: str | None, operator: str | None) -> dict[str, Any]:
        """Return what shifts and wrap-up say of a seat and its operator."""
        people = self._engine.people
        left = people.seating.wrap_up_left_s(seat_id) if seat_id else None
        seen = people.watched
        return {
            "wrap_up_left_s": None if left is None else round(left, 1),
            "rostered": people.seating.is_rostered(operator) if operator else None,
            "may_leave": bool(seat_id and operator and seen and operator in seen.may_leave),
        }

    async def operators(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return every operator with the seat they sit on."""
        engine = self._engine
        self._require_restored()
        rows = []
        for person in engine.book.operators:
            seat_id = engine.calls.seat_of(person.number)
            record = engine.calls.seat(seat_id) if seat_id else None
            rows.append(
                {
                    "operator": person.number,
                    "name": person.name,
                    "seat": seat_id,
                    "state": record.state.value if record else SeatState.LOGGED_OUT.value,
                    "reason": record.reason if record else "",
                    "queues": list(person.queues),
                    "leads": person.leads,
                    **self._duty(seat_id, person.number),
                }
            )
        return rows

    async def queues(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return who waits, how long, and who could answer."""
        status = await self._queue_status()
        if status is None:
            raise HotlineError(
                f"Asterisk cannot be asked now: {self._engine.link.reason}.",
                f"现在无法查询 Asterisk：{self._engine.link.reason_zh}。",
                retry=True,
            )
        rows = []
        for queue in self._engine.book.queues:
            waits = [caller.wait_s for caller in status.callers if caller.queue == queue.id]
            mine = [place for place in status.places if place.queue == queue.id]
            ready = [m for m in mine if not m.paused and status.phone(m.username) is Phone.FREE]
            busy = [m for m in mine if status.phone(m.username) in _BUSY]
            rows.append(
                {
                    "queue": queue.id,
                    "waiting": len(waits),
                    "longest_wait_s": max(waits, default=0),
                    "seats_ready": len(ready),
                    "seats_busy": len(busy),
                }
            )
        return rows

    async def login(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Log an operator in; the command needs no PIN and is journalled as the administrator's."""
        await self._engine.seating.log_in(str(request["seat"]), str(request["operator"]), by="administrator")
        return self._note()

    async def logout(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Log an operator out."""
        await self._engine.seating.log_out(self._seat(request), by="administrator")
        return self._note()

    async def pause(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Pause a seat."""
        await self._engine.seating.pause(self._seat(request), str(request["reason"]), by="administrator")
        return self._note()

    async def resume(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Resume a seat."""
        await self._engine.seating.resume(self._seat(request), by="administrator")
        return self._note()

    async def mode(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Return the mode in force and who may change it."""
        modes, zone = self._engine.people.modes, ZoneInfo(self._engine.book.timezone)
        now, leader = modes.set_to, modes.leader()
        return {
            "mode": now.mode.value,
            "by": now.by or None,
            "at": None if now.at is None else _moment(now.at, zone),
            "event": now.event,
            "fact": now.fact,
            "leader": leader.operator if leader else None,
            "acting": leader.acting if leader else False,
        }

    async def set_mode(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Set the mode; it is in force for the next caller."""
        self._require_restored()
        text = {name: str(request.get(name, "")) for name in ("event", "fact")}
        self._engine.people.modes.set(str(request["mode"]), str(request["by"]), **text)
        return await self.mode({})

    async def alarm_done(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take an alarm off the board that nothing else clears, for instance a message somebody called back."""
        alarm, about = str(request["alarm"]), str(request["about"])
        if not self._engine.people.alarms.clear(alarm, about, ADMINISTRATOR):
            raise HotlineError(
                f"there is no alarm {alarm} about {about!r}; `ivr alarms` lists them.",
                f"没有告警 {alarm}（{about}）；可用 ivr alarms 查看。",
            )
        return {}

    async def alarms(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the alarms that are up, the oldest first."""
        zone = ZoneInfo(self._engine.book.timezone)
        return [
            {
                "alarm": alarm.alarm,
                "about": alarm.about,
                "since": _moment(alarm.since, zone),
                "sentence": alarm.sentence,
                "sentence_zh": alarm.sentence_zh,
                **self._engine.admission.told_of(alarm),
            }
            for alarm in self._engine.people.alarms.active
        ]

    async def reconcile(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Reconcile now rather than within the minute."""
        return {"added": await self._engine.reconcile_now()}

    async def audit(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Journal what an administrator looked at."""
        await self._engine.store.audit(
            float(request["at"]), "administrator", str(request["action"]), dict(request["data"])
        )
        return {}

    async def prompts(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Look at the prompts again; the next caller hears them."""
        return {"faults": self._engine.look_at_prompts()}

    async def can_apply(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Tell, before the work of proving, whether a change could be taken over now."""
        if request.get("place") != place_fingerprint(self._engine.settings):
            raise ApplyRefused(
                "this command and the hotline have different settings (IVR_…): run it with the same ones.",
                "本命令与正在运行的热线使用的设置（IVR_…）不同：请使用相同的设置运行。",
            )
        if self._engine.link.state is not LinkState.LIVE:
            link = self._engine.link
            raise ApplyRefused(
                f"Asterisk cannot be asked now: {link.reason}.",
                f"现在无法查询 Asterisk：{link.reason_zh}。",
                retry=True,
            )
        return {}

    async def apply(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take a prepared change over; refused whole if Asterisk does not have it as it should."""
        await self.can_apply(request)
        return (await self._engine.switch.change(int(request["change"]))).as_row()

    async def end_calls(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """End every call: everything is about to stop."""
        await self._engine.end_calls()
        return {}

    async def transfer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start, complete, cancel, leave or mute a three-way call; the same as the keys."""
        requests = self._engine.third_parties.requests
        await self._engine.third_parties.known()
        call_id, step = str(request["call"]), str(request["step"])
        if step == "start":
            requests.start(call_id, str(request["to"]), "administrator")
        else:
            steps = {
                "complete": requests.complete,
                "cancel": requests.cancel,
                "leave": requests.leave,
                "mute": requests.mute,
            }
            steps[step](call_id, "administrator")
        return {"state": self._engine.third_parties.transfers.of(call_id).state.value, **self._note()}

    async def transfer_state(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return how far the three-way side of a call is."""
        await self._engine.third_parties.known()
        transfer = self._engine.third_parties.transfers.of(str(request["call"]))
        return {"state": transfer.state.value, "target": transfer.target}

    async def open_calls(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the calls that go on, as the engine knows them this moment."""
        return [
            {
                "call_id": call.call_id,
                "state": call.state.value,
                "caller": call.caller_mask,
                "seat": call.seat,
                "operator": call.operator,
            }
            for call in self._engine.calls.open()
        ]

    async def transfer_targets(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return every target with its keys and the number of ways there that could be dialled."""
        targets: Targets = self._engine.third_parties.targets()
        return [
            {"keys": f"*1{code}", "target": target, "routes": targets.routes(target)}
            for code, target in targets.codes().items()
        ]

    def _require_restored(self) -> None:
        if not self._engine.seating.known:
            raise HotlineError(
                f"who sits where is not known yet: {self._engine.recorder.reason}",
                f"尚未读到座席登录情况：{self._engine.recorder.reason_zh}",
                retry=True,
            )

    def _seat(self, request: Mapping[str, Any]) -> str:
        return self._engine.seating.seat_for(request.get("seat"), request.get("operator"))

    def _note(self) -> dict[str, str]:
        link = self._engine.link
        if link.state is LinkState.LIVE:
            return {"note": "", "note_zh": ""}
        return {
            "note": f"it takes effect when Asterisk is back ({link.reason})",
            "note_zh": f"Asterisk 恢复后生效（{link.reason_zh}）",
        }

    async def _queue_status(self) -> QueueStatus | None:
        return await self._engine.floor.status() if self._engine.floor.live else None


def _part(state: str, why: tuple[str, str], pid: int | None, **more: Any) -> dict[str, Any]:
    """Return a part of ``ivr status``; ``why`` in English and in Chinese."""
    return {"state": state, "reason": why[0], "reason_zh": why[1], "pid": pid, **more}


def _moment(at: float, zone: ZoneInfo) -> str:
    """Return a moment (seconds since the epoch) as ISO 8601."""
    return datetime.fromtimestamp(at, zone).isoformat(timespec="milliseconds")

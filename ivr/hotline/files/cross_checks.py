"""What is right file by file and wrong together: things that stand twice, names that lead nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date

from ivr.hotline import book as _book
from ivr.hotline.destinations import CALLBACK, Unusable, why_unusable
from ivr.hotline.files import schema as models
from ivr.hotline.files.explain import ended, suggestion
from ivr.hotline.files.parsed import WrittenFolder
from ivr.hotline.telephone import NumberPlan

_INVENTED = re.compile(r"sips?:0000")

Place = tuple[str | int, ...]


def check_together(folder: WrittenFolder) -> None:
    """Note every fault that more than one entry or file makes."""
    checks: tuple[Callable[[WrittenFolder], None], ...] = (
        _twice,
        _seats,
        _numbers,
        _lines,
        _queues,
        _operators,
        _trunks,
        _units,
        _calendar,
        _keys,
        _prompts,
    )
    for check in checks:
        check(folder)


def _once(
    folder: WrittenFolder, name: str, what: tuple[str, str], values: Iterable[tuple[Place, str]]
) -> None:
    seen: dict[str, int] = {}
    for place, value in values:
        if value in seen:
            folder.add(
                name,
                place,
                f"{what[0]} {value} stands twice (first in line {seen[value]}); keep one.",
                f"{what[1]} {value} 重复（首次在第 {seen[value]} 行）；请只保留一个。",
            )
        else:
            seen[value] = folder.files[name].line(place)


def _twice(folder: WrittenFolder) -> None:
    rows: tuple[tuple[str, type[models.Written], str, str, tuple[str, str]], ...] = (
        ("lines.yaml", models.LinesFile, "lines", "id", ("line id", "部门线标识")),
        ("lines.yaml", models.LinesFile, "ambiguous", "text", ("ambiguous name", "多义名称")),
        ("lines.yaml", models.LinesFile, "emergencies", "number", ("emergency number", "紧急号码")),
        ("lines.yaml", models.LinesFile, "referrals", "number", ("referral number", "转告号码")),
        ("queues.yaml", models.QueuesFile, "queues", "id", ("queue id", "队列标识")),
        ("seats.yaml", models.SeatsFile, "seats", "id", ("seat id", "座席号")),
        ("seats.yaml", models.SeatsFile, "seats", "extension", ("extension", "分机号")),
        ("operators.yaml", models.OperatorsFile, "operators", "number", ("operator number", "话务员号")),
        ("shifts.yaml", models.ShiftsFile, "shifts", "id", ("shift id", "班次标识")),
        ("units.yaml", models.UnitsFile, "units", "id", ("unit id", "单位标识")),
    )
    for name, model, section, key, what in rows:
        found = folder.model(name, model)
        if found is not None:
            items = enumerate(getattr(found, section))
            _once(folder, name, what, (((section, n, key), getattr(item, key)) for n, item in items))


def _seats(folder: WrittenFolder) -> None:
    """All seat ids are of one length: a code that is keyed ends with the seat, and nobody waits for a time-out."""
    found = folder.model("seats.yaml", models.SeatsFile)
    ids = [seat.id for seat in found.seats] if found else []
    digits = max(map(len, ids), default=0)
    short = [n for n, seat_id in enumerate(ids) if len(seat_id) < digits]
    if short:
        seat_id, more = ids[short[0]], len(short) - 1
        folder.add(
            "seats.yaml",
            ("seats", short[0], "id"),
            f"seat id {seat_id} has {len(seat_id)} digits and others have {digits}; ids are of one length, so write "
            f"'{seat_id.zfill(digits)}'{f' here, and {digits} digits in {more} more' if more else ''}.",
            f"座席号 {seat_id} 为 {len(seat_id)} 位，其他座席号为 {digits} 位；座席号须等长，请写 "
            f"'{seat_id.zfill(digits)}'{f'，另有 {more} 个也须改为 {digits} 位' if more else ''}。",
        )


def _numbers(folder: WrittenFolder) -> None:
    """No two lines, nor a line and the hotline, nor a line and an emergency, by any way to dial them."""
    lines = folder.model("lines.yaml", models.LinesFile)
    hotline = folder.model("hotline.yaml", models.HotlineFile)
    if lines is None:
        return
    number_forms = NumberPlan(hotline.area_code if hotline else "").forms
    taken = dict.fromkeys(number_forms(hotline.number), ("the hotline itself", "热线本身")) if hotline else {}
    emergencies = {form: n for n in _book.EMERGENCY_NUMBERS for form in number_forms(n)}
    for n, line in enumerate(lines.lines):
        place: Place = ("lines", n, "number")
        forms = number_forms(line.number)
        for form in forms:
            if form in emergencies:
                en = f"{line.number} reaches {emergencies[form]}, which can never be a line; delete it."
                zh = f"{line.number} 即紧急号码 {emergencies[form]}，不能作为部门线；请删除。"
                folder.add("lines.yaml", place, en, zh)
                break
            if form in taken:
                en = f"line number {form} stands twice: it reaches {taken[form][0]} too; every line has its own."
                zh = f"号码 {form} 重复：它也接通{taken[form][1]}；每条线须有自己的号码。"
                folder.add("lines.yaml", place, en, zh)
                break
        taken |= {form: (f"line {line.id}", f"部门线 {line.id}") for form in forms if form not in taken}


def _missing(
    folder: WrittenFolder,
    place: tuple[str, Place],
    what: tuple[str, str],
    wanted: str,
    known: set[str] | None,
) -> None:
    """Note a name that nothing has; ``known`` None: nobody can know."""
    if known is None or wanted in known:
        return
    hint = suggestion(wanted, sorted(known))
    folder.add(
        *place,
        ended(f"{what[0]} {wanted}, which does not exist{hint[0]}", "."),
        ended(f"{what[1]} {wanted} 不存在{hint[1]}", "。"),
    )


def _lines(folder: WrittenFolder) -> None:
    found = folder.model("lines.yaml", models.LinesFile)
    if found is None:
        return
    queues = folder.ids("queues.yaml", "queues", "id")
    for n, line in enumerate(found.lines):
        if line.queue:
            place: tuple[str, Place] = ("lines.yaml", ("lines", n, "queue"))
            _missing(
                folder,
                place,
                (f"line {line.id} goes to queue", f"部门线 {line.id} 的队列"),
                line.queue,
                queues,
            )
        aliases = (((("lines", n, "aliases", k)), alias) for k, alias in enumerate(line.aliases))
        _once(folder, "lines.yaml", (f"alias of {line.id}", f"{line.id} 的别名"), aliases)
    lines = folder.ids("lines.yaml", "lines", "id")
    known = None if lines is None else lines | set(_book.EMERGENCY_NUMBERS)
    for n, name in enumerate(found.ambiguous):
        for k, candidate in enumerate(name.candidates):
            place = ("lines.yaml", ("ambiguous", n, "candidates", k))
            _missing(
                folder, place, (f"{name.text} may mean line", f"“{name.text}”的部门线"), candidate, known
            )


def _queues(folder: WrittenFolder) -> None:
    found = folder.model("queues.yaml", models.QueuesFile)
    if found is None:
        return
    known = folder.ids("queues.yaml", "queues", "id")
    for n, queue in enumerate(found.queues):
        place: Place = ("queues", n, "overflow_to")
        if queue.overflow_to == queue.id:
            folder.add(
                "queues.yaml",
                place,
                f"queue {queue.id} overflows to itself; name another or delete it.",
                f"队列 {queue.id} 溢出到自身；请改为其他队列或删除。",
            )
        elif queue.overflow_to:
            what = (f"queue {queue.id} overflows to", f"队列 {queue.id} 的溢出队列")
            _missing(folder, ("queues.yaml", place), what, queue.overflow_to, known)
    first = found.queues[0]
    if folder.files["queues.yaml"].kept.get("queues", [0])[0] != 0:
        return  # the first one has a fault of its own and was left out
    if first.kind != _book.QueueKind.GENERAL or first.hours != "always":
        folder.add(
            "queues.yaml",
            ("queues", 0),
            f"the first queue ({first.id}) takes every call and must be kind general with hours always.",
            f"第一个队列（{first.id}）接收所有来电，kind 须为 general，hours 须为 always。",
        )


def _operators(folder: WrittenFolder) -> None:
    found = folder.model("operators.yaml", models.OperatorsFile)
    queues = folder.ids("queues.yaml", "queues", "id")
    for n, person in enumerate(found.operators if found else ()):
        for k, queue in enumerate(person.queues):
            what = (f"operator {person.number} serves", f"话务员 {person.number} 的队列")
            _missing(folder, ("operators.yaml", ("operators", n, "queues", k)), what, queue, queues)


def _trunks(folder: WrittenFolder) -> None:
    found = folder.model("trunks.yaml", models.TrunksFile)
    if found is None:
        return
    known = {
        "subcenter": folder.ids("lines.yaml", "lines", "id"),
        "unit": folder.ids("units.yaml", "units", "id"),
    }
    for target, uris in found.destinations.items():
        kind, colon, wanted = target.partition(":")
        if colon:
            what = (f"destination {target} names {kind}", f"转接目标 {target} 的")
            _missing(folder, ("trunks.yaml", ("destinations", target)), what, wanted, known[kind])
        for n, uri in enumerate(uris):
            _destination(folder, ("destinations", target, n), uri, lab=found.lab)


_UNUSABLE = {
    Unusable.MALFORMED: (
        "{uri} would never be dialled; write sip:NUMBER@HOST:PORT (no sips:, no IPv6, nothing more).",
        "{uri} 不会被拨打；请写成 sip:号码@主机:端口（不支持 sips: 和 IPv6，不得有其他内容）。",
    ),
    Unusable.OUTSIDE: (
        "{uri} is not on this machine; in lab mode write 127.0.0.1, or set lab: false.",
        "{uri} 不是本机地址；实验模式下请用 127.0.0.1，或设 lab: false。",
    ),
    Unusable.OURSELVES: (
        "{uri} leads back to this hotline and would never be dialled; write the address of {target}.",
        "{uri} 指向本热线自身，不会被拨打；请填写 {target} 的地址。",
    ),
}
_BAD_CALLBACK = (
    "{uri} would never be dialled; write sip:PREFIX@HOST:PORT, where PREFIX is digits, + * # or nothing.",
    "{uri} 不会被拨打；请写成 sip:前缀@主机:端口，前缀只能是数字、+ * #，可省略。",
)


def _destination(folder: WrittenFolder, place: Place, uri: str, *, lab: bool) -> None:
    target = str(place[1])
    why = why_unusable(uri, lab, folder.own, target)
    if why is not None:
        bad_callback = why is Unusable.MALFORMED and target == CALLBACK
        en, zh = _BAD_CALLBACK if bad_callback else _UNUSABLE[why]
        folder.add("trunks.yaml", place, en.format(uri=uri, target=target), zh.format(uri=uri, target=target))
    elif not lab and _INVENTED.match(uri):
        folder.add(
            "trunks.yaml",
            place,
            f"{uri} is an invented number (0000-) and must never be dialled; write the real one.",
            f"{uri} 是虚构号码（0000-），不得外拨；请写真实号码。",
        )


def _units(folder: WrittenFolder) -> None:
    found = folder.model("units.yaml", models.UnitsFile)
    if found is None:
        return
    known = folder.ids("units.yaml", "units", "id")
    levels = {unit.id: unit.level for unit in found.units}
    for n, unit in enumerate(found.units):
        place: Place = ("units", n, "parent")
        if unit.parent:
            what = (f"unit {unit.id} belongs to", f"单位 {unit.id} 的上级")
            _missing(folder, ("units.yaml", place), what, unit.parent, known)
        if levels.get(unit.parent, 0) >= unit.level:
            folder.add(
                "units.yaml",
                place,
                f"unit {unit.id} (level {unit.level}) belongs to {unit.parent}, which is not above it; "
                "name a unit of a smaller level.",
                f"单位 {unit.id}（{unit.level} 级）的上级 {unit.parent} 级别不高于它；请改为级别更高的单位。",
            )


def _calendar(folder: WrittenFolder) -> None:
    found = folder.model("calendar.yaml", models.CalendarFile)
    for year, entry in found.years.items() if found else ():
        sections: tuple[tuple[str, Sequence[str]], ...] = (
            ("holidays", entry.holidays),
            ("makeup_workdays", entry.makeup_workdays),
        )
        for section, days in sections:
            places = [(("years", year, section, n), day) for n, day in enumerate(days)]
            _once(folder, "calendar.yaml", ("day", "日期"), places)
            for place, day in places:
                _calendar_day(folder, place, day, entry)


def _calendar_day(folder: WrittenFolder, place: Place, day: str, entry: models.YearEntry) -> None:
    _, year, section, _ = place
    if not day.startswith(f"{year}-"):
        folder.add(
            "calendar.yaml",
            place,
            f"{day} is not in {year}; move it to its year.",
            f"{day} 不在 {year} 年；请移到对应年份。",
        )
    elif section == "makeup_workdays" and day in entry.holidays:
        folder.add(
            "calendar.yaml",
            place,
            f"{day} is a holiday and a workday; keep one.",
            f"{day} 既是假日又是补班日；请只保留一个。",
        )
    elif section == "makeup_workdays" and date.fromisoformat(day).weekday() < 5:
        folder.add(
            "calendar.yaml",
            place,
            f"{day} is no Saturday or Sunday and worked anyway; delete it.",
            f"{day} 不是周末，本来就是工作日；请删除。",
        )


def _keys(folder: WrittenFolder) -> None:
    lines = folder.ids("lines.yaml", "lines", "id")
    reception = folder.model("reception.yaml", models.ReceptionFile)
    for key, line in reception.keys.items() if reception else ():
        place: tuple[str, Place] = ("reception.yaml", ("keys", key))
        _missing(folder, place, (f"key {key} leads to line", f"按键 {key} 的部门线"), line, lines)
    modes = folder.model("modes.yaml", models.ModesFile)
    for mode, entry in modes.modes.items() if modes else ():
        for line in entry.priority:
            place = ("modes.yaml", ("modes", mode.value, "priority", line))
            _missing(
                folder, place, (f"mode {mode.value} prefers line", f"模式 {mode.value} 的部门线"), line, lines
            )


def _prompts(folder: WrittenFolder) -> None:
    """Every prompt exists, and whoever is recorded was told before (the greeting is all that some callers hear)."""
    if folder.prompts is None:
        return
    reception = folder.model("reception.yaml", models.ReceptionFile)
    for key in ("greeting", "parallel_prompt", "merged_prompt") if reception else ():
        prompt = getattr(reception, key)
        if not prompt or not _known_prompt(folder, ("reception.yaml", (key,)), prompt):
            continue
        if "录音" not in folder.prompts[prompt]:
            folder.add(
                "reception.yaml",
                (key,),
                f"{prompt} does not say that the call is recorded (录音); name one that does, for example P001.",
                f"{prompt} 没有告知通话录音；请改用有录音告知的提示音，例如 P001。",
            )
    modes = folder.model("modes.yaml", models.ModesFile)
    for mode, entry in modes.modes.items() if modes else ():
        if entry.prompt:
            _known_prompt(folder, ("modes.yaml", ("modes", mode.value, "prompt")), entry.prompt)


def _known_prompt(folder: WrittenFolder, place: tuple[str, Place], prompt: str) -> bool:
    known = folder.prompts is None or prompt in folder.prompts
    if not known:
        en = f"there is no prompt {prompt}; `ivr prompts list` names them."
        folder.add(*place, en, f"没有提示音 {prompt}；可用 ivr prompts list 查看。")
    return known

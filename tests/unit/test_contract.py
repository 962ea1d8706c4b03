"""Engine and dialplan call everything by the same name: a change on one side only is found here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import pytest

from agi_scripts.reception_away import note_of
from ivr.asterisk import contract
from ivr.asterisk.contract import FIELDS, LED_TO, REQUESTS, WORDS, Context, Noted, Says, Variable
from ivr.calls import file_names
from ivr.calls.facts import ANSWERED, CALLING, NOTICE
from ivr.calls.reception import told_arrival
from ivr.hotline.book import Line, MergeMode, Operator, QueueSpec, Seat, Trunks
from ivr.hotline.units import Unit
from ivr.phone.leader import _WAYS
from ivr.seats.log_in import PAUSE_REASONS
from ivr.supervision.modes import MODE_KEYS
from ivr.transfers.targets import codes_of
from tests.unit.dialplan import contexts, extensions, matches
from tests.unit.kit import small_book
from tests.unit.test_rendering import DESTINATIONS, render_hotline

Files = Mapping[str, str]
EXTENSIONS = "ivr12345/extensions.conf"
DOORS = {"ivr-from-trunk", "ivr-from-110", "ivr-from-seat", "ivr-refused"}
FOR_ITSELF = {"IVR_LOCKED"}
"""Variables of the dialplan that are set for what setting them does."""


@dataclass(frozen=True)
class Dialplan:
    """What the rendered files say, without their comments."""

    files: Files

    @cached_property
    def lines(self) -> dict[str, list[str]]:
        return contexts(self.files[EXTENSIONS])

    @cached_property
    def text(self) -> str:
        return "\n".join(line for lines in self.lines.values() for line in lines)


# -- what must hold ----------------------------------------------------------------------------
def context_faults(plan: Dialplan) -> Iterator[str]:
    lines = plan.lines
    answered = {name: extensions(steps) for name, steps in lines.items()}
    yield from (f"no context {name}" for name in Context if name not in lines)
    for name, led in LED_TO.items():
        for exten in led:
            if not any(matches(pattern, exten) for pattern in answered.get(name, ())):
                yield f"nothing answers at {name},{exten}"
    # a name that stands before a comma and an extension is a context
    elsewhere = "".join(plan.files[f"ivr12345/{name}.conf"] for name in ("confbridge", "features"))
    dialled = re.sub(r"ConfBridge\([^\n]*|LOCK\([^)]*\)", "", plan.text)
    named = set(re.findall(r"(?<![\w/-])(ivr-[a-z0-9-]+)(?=[,^@)])", dialled))
    named |= set(re.findall(r'(?:dialplan_exec\(|Gosub,")(ivr-[a-z-]+),', elsewhere))
    named |= set(re.findall(r"^context *= *(\S+)", plan.files["ivr12345/queues.conf"], re.MULTILINE))
    features = set(re.findall(r"^(ivr-\w+) =>", plan.files["ivr12345/features.conf"], re.MULTILINE))
    invited = {name for name in named if name.startswith("ivr-help-")} | features
    yield from (f"{name} is led to and is not there" for name in named - lines.keys() - invited)
    yield from (f"nobody leads to {name}" for name in lines.keys() - named - DOORS - LED_TO.keys())


def user_event_faults(plan: Dialplan) -> Iterator[str]:
    told: dict[str, list[list[str]]] = {}
    for name, rest in re.findall(r"UserEvent\((Ivr\w+)((?:,[^\n]*)?)\)$", plan.text, re.MULTILINE):
        told.setdefault(name, []).append(re.split(r",(?=[A-Z]\w*: )", rest)[1:])
    if told.keys() != set(Says):
        yield f"the dialplan says {sorted(told)}, the engine hears {sorted(Says)}"
    for says in Says:
        names: set[str] = set()
        for fields in told.get(says, []):
            pairs = dict(one.split(": ", 1) for one in fields)
            names |= pairs.keys()
            if list(pairs) != [name for name in FIELDS[says] if name in pairs]:
                yield f"{says} tells {list(pairs)}"
        if names != set(FIELDS[says]):
            yield f"{says} tells {sorted(names)}, the engine hears {FIELDS[says]}"
        for name in names:
            yield from word_faults(says, name, told.get(says, []))


def word_faults(says: Says, name: str, told: list[list[str]]) -> Iterator[str]:
    if (says, name) not in WORDS:
        return
    said = " ".join(one.split(": ", 1)[1] for fields in told for one in fields if one.startswith(f"{name}: "))
    words = set(re.findall(r"(?<![\w${\"])[a-z_]+\b", said))
    if words != WORDS[says, name]:
        yield f"{name} of {says} is one of {sorted(words)}"


def variable_faults(plan: Dialplan) -> Iterator[str]:
    text = re.sub(r"CELGenUserEvent\([^,]*,", "(", plan.text)
    written = set(re.findall(r"[(,?]_{0,2}(IVR_\w+)=", text)) | set(re.findall(r"Read\((IVR_\w+),", text))
    used = re.sub(r"([(,?]_{0,2})IVR_\w+=", r"\1", re.sub(r"Read\(IVR_\w+,", "", text))
    read = set(re.findall(r"\bIVR_\w+", used))
    ours = set(Variable) - contract.READ_OF_THE_DIALPLAN
    yield from (f"the dialplan reads {name}, which nobody sets" for name in read - written - ours)
    unread = written - read - contract.READ_OF_THE_DIALPLAN - FOR_ITSELF
    yield from (f"the dialplan sets {name}, which nobody reads" for name in unread)
    yield from (f"the engine sets {name}, which the dialplan does not read" for name in ours - read)
    yield from (f"nobody sets {name}" for name in contract.READ_OF_THE_DIALPLAN - written)


def request_faults(plan: Dialplan) -> Iterator[str]:
    asked = re.findall(r"AGI\((?:agi://[^/]+/(\w+)\?key=[^,]*|(/[^,]*)),([^\n]*)\)$", plan.text, re.MULTILINE)
    words = {(script or "away"): told for script, _, told in asked}
    expected = {one.script: one.words for one in REQUESTS}
    if words != expected or len(asked) != len(expected):
        yield f"the dialplan asks {words}"
    noted = set(re.findall(r"CELGenUserEvent\((\w+),", plan.text))
    if noted != set(Noted):
        yield f"the dialplan notes {sorted(noted)}"
    if f"CELGenUserEvent({Noted.RECEPTION},{contract.STORY_WORDS})" not in plan.text:
        yield "channel events do not tell what reception is told"
    why = set(re.findall(rf"CELGenUserEvent\({Noted.REFUSED},(\w+)/\${{IVR_DIALLED}}\)", plan.text))
    if why != contract.REFUSED_WORDS:
        yield f"the dialplan refuses because of {sorted(why)}"
    if f"CELGenUserEvent({Noted.HELP},110${{IVR_STAR_TRACK}})" not in plan.text:
        yield "channel events do not tell which help was called, and its recording"


def word_format_faults(plan: Dialplan) -> Iterator[str]:
    decided = {
        "IVR_QUEUE": "queue",
        "QUEUE_PRIO": "priority",
        "IVR_GREETING": "greeting",
        "IVR_LINE": "line",
    }
    cut = re.findall(r"(\w+)=\$\{CUT\(IVR_PLACEMENT,(.),(\d)\)\}", plan.text)
    if [name for name, _, _ in cut] != list(decided):
        yield f"a placement is read into {cut}"
    for name, separator, place in cut:
        if separator != contract.SEPARATOR or contract.PLACED[int(place) - 1] != decided.get(name):
            yield f"{name} is read at {place}"
    if set(re.findall(r"DB\(([\w-]+)/", plan.text)) != {contract.FAMILY}:
        yield "word of callbacks is left elsewhere"
    words = re.findall(r"(?:\)=\$\{IVR_TRY\}/|What: )([A-Z]+)(/\$\{IVR_BOTH\})?", plan.text)
    left = {(CALLING, ""), *((one, "/${IVR_BOTH}") for one in (NOTICE, ANSWERED))}
    if set(words) != left or f"IVR_BOTH=${{CHANNEL(name)}}{contract.SEPARATOR}$" not in plan.text:
        yield f"word of callbacks is {sorted(set(words))}"


def recording_faults(plan: Dialplan) -> Iterator[str]:
    beside = set(re.findall(r"\$\{IVR_RECORDING\}(-\w+)", plan.text))
    if beside != {file_names.HELP, file_names.PART, file_names.MESSAGE}:
        yield f"recordings are called {sorted(beside)}"
    if set(re.findall(r"MixMonitor\(\$\{\w+\}([^,]*),", plan.text)) != {file_names.RAW}:
        yield "a recording of the dialplan's own has another ending"
    if set(re.findall(r"Record\(\$\{\w+\}([^,]*),", plan.text)) != {file_names.WAV}:
        yield "a message has another ending"
    if f"monitor-format = {file_names.RAW[1:]}\n" not in plan.files["ivr12345/queues.conf"]:
        yield "a queue's recording has another ending"
    for name, line, written in (
        ("cel", contract.CelLine, contract.CEL_WRITTEN),
        ("cdr", contract.CdrLine, contract.CDR_WRITTEN),
    ):
        row = ",".join(f"${{CSV_QUOTE({written[field]})}}" for field in line._fields)
        if f"{contract.RECORDS} => {row}\n" not in plan.files[f"ivr12345/{name}_custom.conf"]:
            yield f"{name} writes other fields, in another order, or elsewhere"


def name_faults(plan: Dialplan) -> Iterator[str]:
    pjsip, music = plan.files["ivr12345/pjsip.conf"], plan.files["ivr12345/musiconhold.conf"]
    for way in (contract.WAY_OUT, contract.WAY_BACK):
        if f"[{way}]\ntype = endpoint\n" not in pjsip or f"Dial(PJSIP/{way}/" not in plan.text:
            yield f"there is no way out by {way}"
    if set(re.findall(r"Dial\(PJSIP/([\w-]+)/", plan.text)) != {contract.WAY_OUT, contract.WAY_BACK}:
        yield "calls leave by another endpoint"
    heard = set(re.findall(r"musicclass\)=([\w-]+)", plan.text))
    heard |= set(re.findall(r"^music(?:class| *on_hold_class) *= *(\S+)", "".join(plan.files.values()), re.M))
    if heard != {contract.MUSIC} or f"[{contract.MUSIC}]" not in music:
        yield f"callers hear {sorted(heard)}"
    if f"[{contract.MUSIC}-P007]" not in music:
        yield "an announcement has no music of its own"
    if (
        f"GROUP({contract.GROUP})=${{IF($[" not in plan.text
        or f"?{contract.ADMITTED}:police" not in plan.text
    ):
        yield "callers are counted elsewhere"
    if f"${{GROUP_COUNT({contract.ADMITTED}@{contract.GROUP})}} > " not in plan.text:
        yield "callers are let in by another count"


def code_faults(plan: Dialplan) -> Iterator[str]:
    """Star codes: everybody and everything that has one can be keyed, and nothing longer or shorter."""
    mine = extensions(plan.lines["ivr-from-seat"])
    codes = [*(f"*12{key}" for key in PAUSE_REASONS), *(f"*14{key}" for key in MODE_KEYS), "*10", "*13"]
    codes += [f"*11{one.number}" for one in BOOK.operators]
    codes += [f"*1{way}{seat.id}" for way in _WAYS for seat in BOOK.seats]
    for code in codes:
        if not any(matches(pattern, code) for pattern in mine - {"_[!-~]."}):
            yield f"nothing answers to {code}"
        if any(matches(pattern, code + "0") for pattern in mine - {"_[!-~]."}):
            yield f"something answers to more than {code}"
    more = {"7": "", "5": "", "6": "", "8": ""}
    for keys, count in re.findall(r"ExecIf\(\$\[([^]]*)\]\?Read\(IVR_MORE,,(\d),", plan.text):
        more |= {key: count for key in re.findall(r'="(\d)"', keys)}
    for code in codes_of(BOOK):
        if len(code) != 1 + int(more.get(code[0]) or 0):
            yield f"after *1, {code[0]} is followed by {more.get(code[0])} digits, not as in {code}"


CHECKS: tuple[Callable[[Dialplan], Iterator[str]], ...] = (
    context_faults,
    user_event_faults,
    variable_faults,
    request_faults,
    word_format_faults,
    recording_faults,
    name_faults,
    code_faults,
)
BOOK = small_book(
    lines=(Line("market", "12315", "消费者投诉热线", "市场监管局", MergeMode.SUBCENTER),),
    queues=(QueueSpec("q_general", "综合受理"), QueueSpec("q_market", "市场监管")),
    seats=(Seat("01", "8001"), Seat("24", "8024")),
    operators=(Operator("1001", "话务员01", ("q_general", "q_market")),),
    units=(Unit("water", "水务集团", 1),),
    trunks=Trunks(destinations=DESTINATIONS),
)


def faults(files: Files) -> list[str]:
    plan = Dialplan(files)
    return [fault for check in CHECKS for fault in check(plan)]


# -- that it holds, and that a change is found ----------------------------------------------------
@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    home = tmp_path_factory.mktemp("hotline")
    return render_hotline(home, Seat("01", "8001"), "from-110", DESTINATIONS)


def test_engine_and_dialplan_call_everything_by_the_same_name(files: Files) -> None:
    assert faults(files) == []


def test_they_do_without_callbacks_and_without_looking_after_phones(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("plain")
    checked = render_hotline(home, Seat("01", "8001"), "from-110", DESTINATIONS, phone_check_s=0)
    # what marks a lost phone has nobody to read it where phones are not looked after
    assert [f for f in faults(checked) if "IVR_CONTACT" not in f and "IVR_PHONE_GONE" not in f] == []


Mutation = tuple[str, str, str]
"""A file, what stands in it, what somebody writes instead."""


def renamed() -> Iterator[Mutation]:
    """Each name of the contract, called otherwise wherever the dialplan says it."""
    words: list[str] = [*Says, *Noted, *Variable, contract.FAMILY + "/", contract.WAY_OUT + "/"]
    words += [f"DB({contract.FAMILY}/", f"{contract.ADMITTED}@{contract.GROUP}", "?caller:police"]
    words += [f"/{CALLING}", f"/{NOTICE}/", f"/{ANSWERED}/"]
    words += [f"}}{name}" for name in (file_names.HELP, file_names.PART, file_names.MESSAGE)]
    words += [f"}}{file_names.RAW}", f"}}{file_names.WAV}", "CUT(IVR_PLACEMENT,^", "{CHANNEL(name)}^"]
    yield from ((EXTENSIONS, word, f"{word[:-1]}_{word[-1]}") for word in words)
    yield from ((EXTENSIONS, f"[{name}]", f"[{name}-2]") for name in Context)
    yield from ((EXTENSIONS, f"/{one.script}?", f"/{one.script}s?") for one in REQUESTS[:-1])
    for says, names in FIELDS.items():
        yield from ((EXTENSIONS, f",{name}: ", f",{name}s: ") for name in names if says)
    for (says, name), some in WORDS.items():
        yield from ((EXTENSIONS, word, f"{word}s") for word in some if says and name)
    yield from ((EXTENSIONS, f"{word}/$", f"{word}s/$") for word in contract.REFUSED_WORDS)
    yield "ivr12345/queues.conf", "monitor-format = raw", "monitor-format = wav"
    yield "ivr12345/queues.conf", "context = ivr-in-queue", "context = ivr-waiting"
    yield "ivr12345/queues.conf", "musicclass = ivr12345", "musicclass = hotline"
    yield "ivr12345/confbridge.conf", "(ivr-room-keys,", "(ivr-rooms-keys,"
    yield "ivr12345/features.conf", '"ivr-keys,', '"ivr-codes,'
    yield "ivr12345/musiconhold.conf", "[ivr12345-P007]", "[ivr12345_P007]"
    yield "ivr12345/pjsip.conf", "[ivr-out]", "[way-out]"
    for name in ("cel", "cdr"):
        yield f"ivr12345/{name}_custom.conf", "ivr12345.csv", "hotline.csv"


def reordered() -> Iterator[Mutation]:
    """Arguments, parts of a word and columns in another order; codes of another width."""
    for one in REQUESTS:
        told = list(one.told.values())
        for at in range(len(told) - 1):
            turned = [*told[:at], told[at + 1], told[at], *told[at + 2 :]]
            yield EXTENSIONS, f",{one.words})", f",{','.join(turned)})"
    story = contract.STORY_WORDS.split("/")
    for at in range(len(story) - 1):
        turned = [*story[:at], story[at + 1], story[at], *story[at + 2 :]]
        yield EXTENSIONS, contract.STORY_WORDS, "/".join(turned)
    yield EXTENSIONS, "CUT(IVR_PLACEMENT,^,1)", "CUT(IVR_PLACEMENT,^,2)"
    yield EXTENSIONS, "_*11XXXX", "_*11XXXXX"
    yield EXTENSIONS, "_*12X", "_*12XX"
    yield EXTENSIONS, "_*1[5-8]XX", "_*1[5-8]XXX"
    yield EXTENSIONS, "_*1[5-8]XX", "_*1[5-7]XX"
    yield EXTENSIONS, "_*14[123]", "_*14[12]"
    yield EXTENSIONS, "Read(IVR_MORE,,3,", "Read(IVR_MORE,,4,"
    yield EXTENSIONS, "Read(IVR_MORE,,2,", "Read(IVR_MORE,,3,"
    for name, written in (("cel", contract.CEL_WRITTEN), ("cdr", contract.CDR_WRITTEN)):
        first, second = (f"${{CSV_QUOTE({field})}}" for field in list(written.values())[:2])
        yield f"ivr12345/{name}_custom.conf", f"{first},{second}", f"{second},{first}"
        yield f"ivr12345/{name}_custom.conf", f"{first},", ""


@pytest.mark.parametrize(
    ("file", "was", "is_"), [pytest.param(*one, id=f"{one[1]} -> {one[2]}"[:60]) for one in sorted(renamed())]
)
def test_a_name_that_only_the_dialplan_changes_is_found(files: Files, file: str, was: str, is_: str) -> None:
    assert was in files[file]
    assert faults({**files, file: files[file].replace(was, is_)})


@pytest.mark.parametrize(
    ("file", "was", "is_"),
    [pytest.param(*one, id=f"{one[1]} -> {one[2]}"[:60]) for one in sorted(reordered())],
)
def test_an_order_or_a_width_that_only_the_dialplan_changes_is_found(
    files: Files, file: str, was: str, is_: str
) -> None:
    assert was in files[file]
    assert faults({**files, file: files[file].replace(was, is_)})


def test_one_place_that_is_spelled_otherwise_is_found(files: Files) -> None:
    """Also where the rest of the dialplan agrees with the engine: each occurrence of each variable."""
    text = files[EXTENSIONS]
    body = list(re.finditer(r"\$\{(IVR_\w+)", text))
    missed = [
        found[1]
        for found in body
        if not list(
            variable_faults(Dialplan({**files, EXTENSIONS: f"{text[: found.end()]}X{text[found.end() :]}"}))
        )
    ]
    assert len(body) > 100
    assert missed == []


def test_the_engine_s_words_of_a_placement_and_of_arguments_are_those_of_the_dialplan() -> None:
    word = contract.placement(queue="q", priority="5", greeting="a&b", line="water")
    assert word.split(contract.SEPARATOR) == ["q", "5", "a&b", "water"]
    assert contract.LEADER.read(["5", "02"]) == {"digit": "5", "seat": "02", "endpoint": "", "channel": ""}
    assert contract.values()["cel_line"] != contract.values()["cdr_line"]


def test_who_is_received_while_the_engine_is_away_is_told_of_as_by_the_engine() -> None:
    """``agi_scripts`` knows nothing of the engine: its note is read as the dialplan's own word is."""
    told = {name: f"/{name}" if name == "recording" else name for name in contract.AWAY.told}
    told["source"] = "110_diversion"
    note = note_of(list(told.values()), "13800138000", "PJSIP/trunk-00000001", 0.0)
    arrival = told_arrival(str(note["call_id"]), str(note["extra"]), caller="", channel="")
    assert arrival.call_id == told["call"]
    assert (arrival.dialled, arrival.diverted) == ("dialled", ("headers",))
    assert (arrival.source, arrival.reference) == ("110_diversion", "reference")
    assert arrival.recording == "/recording"

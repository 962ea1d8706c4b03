"""The book of prompts: which recordings are played, in which order, for a prompt id.

Texts and shipped recordings lie in the folder ``prompts/`` beside this module; a city's own
recording of the same name wins. Everything is looked up in memory: a call never waits for a
synthesiser, and a sentence is never played with a hole in it - a prompt whose name nobody
recorded is replaced by its wording ``without`` names.
"""

from __future__ import annotations

import logging
import re
import wave
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from ivr.errors import HotlineError
from ivr.host.ordinary_files import NotOrdinary, real
from ivr.speech import spoken

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).with_name("prompts")
LANGUAGE = "zh"
BEEP = "beep"
# GB/T 33358 wants an answer within 15 s: what is played before the queue has a budget of 6 s.
RECORDING_NOTICE = "P001"
RECORDING_NOTICE_MAX_S = 6.0

RATE_HZ = 8000
SAMPLE_BYTES = 2

_SLOT = re.compile(r"\{([a-z0-9_]+)\}")
_PUNCTUATION = ",。、;:?!…,.;:?! "
# A recording's name becomes a dialplan argument: letters, digits, underscore and hyphen only.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


class PromptUnknown(HotlineError):
    """A prompt id that is not in the book."""

    code = "prompt_unknown"


class PromptSlotWrong(HotlineError):
    """A slot of a prompt got no value, or one that cannot be spoken."""

    code = "prompt_slot_wrong"


class PromptMissing(HotlineError):
    """A prompt, fragment or number word has no recording."""

    code = "prompt_missing"


class SlotKind(StrEnum):
    """How the value of a slot is spoken."""

    DIGITS = "digits"
    NUMBER = "number"
    COUNT = "count"
    NAME = "name"


@dataclass(frozen=True)
class Fragment:
    """A fixed stretch of a prompt: the name of its recording and its text."""

    name: str
    text: str


@dataclass(frozen=True)
class Slot:
    """A place in a prompt where a value is spoken."""

    name: str
    kind: SlotKind


@dataclass(frozen=True)
class Prompt:
    """One thing the machine can say.

    Attributes:
        prompt_id: ``P001``; also the name of the recording of a prompt without slots.
        text: the sentence with ``{slots}``.
        parts: fragments and slots in the order they are spoken.
        without: spoken instead when a name has no recording; None where that cannot happen.
        max_s: the longest the whole prompt may play, in seconds.
        faster: words per minute above the usual speed of the synthesiser.
    """

    prompt_id: str
    text: str
    parts: tuple[Fragment | Slot, ...]
    without: Fragment | None = None
    max_s: float | None = None
    faster: int = 0

    @property
    def fragments(self) -> tuple[Fragment, ...]:
        """Everything of this prompt that is recorded in one piece."""
        fixed = tuple(part for part in self.parts if isinstance(part, Fragment))
        return (*fixed, self.without) if self.without else fixed

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots in the order they are spoken."""
        return tuple(part for part in self.parts if isinstance(part, Slot))


@dataclass(frozen=True)
class Word:
    """A recorded name: what is written and what is said."""

    text: str
    say: str


@dataclass(frozen=True)
class Texts:
    """Everything that is recorded, as text."""

    prompts: Mapping[str, Prompt]
    pieces: Mapping[str, str]
    words: Mapping[str, Word]


def load_texts(folder: Path = SHIPPED) -> Texts:
    """Read ``prompts.yaml`` and, where it is there, ``words.yaml`` of a prompt folder.

    Raises:
        PromptUnknown: a prompt names a slot without saying how it is spoken.
    """
    document = yaml.safe_load((folder / "prompts.yaml").read_text(encoding="utf-8"))
    words = dict(document["words"])
    made = folder / "words.yaml"
    if made.exists():
        words |= yaml.safe_load(made.read_text(encoding="utf-8"))
    return Texts(
        prompts={name: _prompt(name, entry) for name, entry in document["prompts"].items()},
        pieces=document["pieces"],
        words={name: _word(entry) for name, entry in words.items()},
    )


def wordings(folder: Path = SHIPPED) -> dict[str, str]:
    """Return what each prompt says, by id."""
    document = yaml.safe_load((folder / "prompts.yaml").read_text(encoding="utf-8"))
    return {name: entry["text"] for name, entry in document["prompts"].items()}


def wav_seconds(path: Path) -> float:
    """Measure a recording that Asterisk can play as it is.

    Returns:
        its length in seconds.

    Raises:
        PromptMissing: it is not a wav of 8 kHz, 16 bit, mono, or has no sound in it.
    """
    try:
        with wave.open(str(path), "rb") as sound:
            shape = (sound.getframerate(), sound.getsampwidth(), sound.getnchannels())
            frames = sound.getnframes()
    except (OSError, EOFError, wave.Error) as error:
        raise _unplayable(path, str(error) or type(error).__name__) from error
    if shape != (RATE_HZ, SAMPLE_BYTES, 1):
        raise _unplayable(path, f"{shape[0]} Hz, {shape[1] * 8} bit, {shape[2]} channel(s)")
    if not frames:
        raise _unplayable(path, "no sound in it")
    return frames / RATE_HZ


@dataclass
class PromptBook:
    """The prompts of one running hotline.

    Args:
        city: folder with the city's own recordings, 8 kHz 16-bit mono wav, named after the prompt,
            fragment or word they replace; missing or None means none.
        shipped: folder with the shipped texts and recordings.
    """

    city: Path | None = None
    shipped: Path = SHIPPED
    texts: Texts = field(init=False)
    faults: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.reload()

    def reload(self) -> None:
        """Look again at both folders; a city's recording that cannot be played is a fault, not used."""
        self.texts = load_texts(self.shipped)
        self.faults = []
        self._paths: dict[str, Path] = {}
        self._seconds: dict[str, float] = {}
        self._index((self.shipped / LANGUAGE).glob("*.wav"))
        if self.city is not None and self.city.is_dir():
            self._index(self.city.glob("*.wav"))
        self._word_ids = {word.text: name for name, word in self.texts.words.items()}
        self._piece_ids = {text: name for name, text in self.texts.pieces.items()}

    @property
    def hold_music(self) -> Path:
        """Folder of the shipped hold music, for Asterisk's ``musiconhold.conf``."""
        return self.shipped / "moh"

    def files(self, prompt_id: str, *, for_asterisk: bool = False, **slots: str | int) -> list[Path]:
        """Find the recordings that say a prompt, in playing order.

        Args:
            prompt_id: ``P001`` …; ``beep`` too.
            for_asterisk: leave the extension off, as ``Playback`` and ``STREAM FILE`` want it.
            **slots: a value per slot; a name by id (``tax_12366``) or by text.

        Raises:
            PromptUnknown: there is no such prompt.
            PromptSlotWrong: a slot is missing or its value cannot be spoken.
            PromptMissing: a fragment or number word has no recording.
        """
        found = [self.recording(name) for name in self._names(prompt_id, slots)]
        return [path.with_suffix("") for path in found] if for_asterisk else found

    def seconds(self, prompt_id: str, **slots: str | int) -> float:
        """Tell how long a prompt plays, in seconds. Raises as ``files`` does."""
        names = self._names(prompt_id, slots)
        for name in names:
            self.recording(name)
        return sum(self._seconds[name] for name in names)

    def check(self) -> list[str]:
        """Look for everything that could leave a caller in silence.

        Returns:
            one sentence per fault; empty when the book is whole.
        """
        faults = list(self.faults)
        for prompt in self.texts.prompts.values():
            if prompt.prompt_id not in self._paths or not prompt.slots:
                faults += [
                    f"{part.name}: no recording of '{part.text}'; record it or run python -m tools.prompts"
                    for part in prompt.fragments
                    if part.name not in self._paths
                ]
            if prompt.max_s and self._seconds.get(prompt.prompt_id, 0.0) > prompt.max_s:
                faults.append(
                    f"{self._paths[prompt.prompt_id]}: {self._seconds[prompt.prompt_id]:.1f} s, "
                    f"at most {prompt.max_s:.1f} s fit; record it shorter"
                )
        faults += [
            f"{name}: no recording; run python -m tools.prompts"
            for name in (*self.texts.pieces, *self.texts.words, BEEP)
            if name not in self._paths
        ]
        return faults

    def word_id(self, name: str) -> str | None:
        """Find the recording of a name, given by id or by text; None where nobody recorded it."""
        by_text = self._word_ids.get(name, name)
        return by_text if by_text in self._paths else None

    def _index(self, paths: Iterable[Path]) -> None:
        for path in sorted(paths):
            try:
                if not _NAME.match(path.stem):
                    raise _unplayable(path, "a name may hold only A-Z a-z 0-9 _ and -")
                real(path, path.parent)
                seconds = wav_seconds(path)
            except (OSError, NotOrdinary) as error:
                why = error.sentence if isinstance(error, NotOrdinary) else error.strerror or str(error)
                self._refuse(_unplayable(path, why.rstrip(".")))
            except PromptMissing as fault:
                self._refuse(fault)
            else:
                self._paths[path.stem] = path
                self._seconds[path.stem] = seconds

    def _refuse(self, fault: PromptMissing) -> None:
        log.warning("prompt not used: %s", fault.sentence)
        self.faults.append(fault.sentence)

    def recording(self, name: str) -> Path:
        """Return one recording by name: a prompt, fragment, piece or word.

        Raises:
            PromptMissing: nobody recorded it.
        """
        if name not in self._paths:
            raise PromptMissing(
                f"The prompt recording '{name}' is missing; put {name}.wav into the prompts folder "
                f"or run python -m tools.prompts.",
                f"缺少提示音“{name}”;请将 {name}.wav 放入提示音目录,或运行 python -m tools.prompts。",
            )
        return self._paths[name]

    def _names(self, prompt_id: str, values: Mapping[str, str | int]) -> list[str]:
        if prompt_id == BEEP:
            return [BEEP]
        prompt = self.texts.prompts.get(prompt_id)
        if prompt is None:
            raise PromptUnknown(
                f"There is no prompt '{prompt_id}'; the ids are in prompts.yaml.",
                f"没有编号为“{prompt_id}”的提示音;编号见 prompts.yaml。",
            )
        if not prompt.slots or prompt_id in self._paths:
            # A city that recorded a whole sentence wants that sentence, names and numbers or not.
            return [prompt_id]
        names: list[str] = []
        for part in prompt.parts:
            spoken_names = [part.name] if isinstance(part, Fragment) else self._slot(prompt, part, values)
            if not spoken_names and prompt.without:
                return [prompt.without.name]
            names += spoken_names
        if prompt.without and prompt.max_s and self._length(names) > prompt.max_s:
            log.warning("prompt %s: with %s it takes too long; said without", prompt_id, dict(values))
            return [prompt.without.name]
        return names

    def _length(self, names: Iterable[str]) -> float:
        return sum(self._seconds.get(name, 0.0) for name in names)

    def _slot(self, prompt: Prompt, slot: Slot, values: Mapping[str, str | int]) -> list[str]:
        if slot.name not in values:
            raise _wrong_slot(prompt, slot, "nothing")
        value = values[slot.name]
        if slot.kind is SlotKind.NAME:
            word = self.word_id(str(value))
            if word is None and value:
                log.warning(
                    "prompt %s: nobody recorded the name %r; said without it", prompt.prompt_id, value
                )
            return [word] if word else []
        try:
            said = _SAY[slot.kind](value)
        except ValueError as error:
            raise _wrong_slot(prompt, slot, repr(value)) from error
        return [self._piece_ids[character] for character in said]


_SAY: Mapping[SlotKind, Any] = {
    SlotKind.DIGITS: lambda value: spoken.digits(str(value)),
    SlotKind.NUMBER: lambda value: spoken.number(int(value)),
    SlotKind.COUNT: lambda value: spoken.count(int(value)),
}


def _prompt(prompt_id: str, entry: Mapping[str, Any]) -> Prompt:
    text: str = entry["text"]
    kinds: Mapping[str, str] = entry.get("slots", {})
    # re.split with one group: fixed text at even places, slot names at odd ones.
    cut = _SLOT.split(text)
    parts: list[Fragment | Slot] = []
    for place, piece in enumerate(cut):
        if place % 2:
            if piece not in kinds:
                raise PromptUnknown(f"Prompt {prompt_id}: say how the slot '{piece}' is spoken, under slots.")
            parts.append(Slot(piece, SlotKind(kinds[piece])))
        elif piece.strip(_PUNCTUATION):
            number = sum(isinstance(part, Fragment) for part in parts) + 1
            name = prompt_id if len(cut) == 1 else f"{prompt_id}_{number}"
            parts.append(Fragment(name, piece.lstrip(_PUNCTUATION)))
    without = Fragment(f"{prompt_id}_0", entry["without"]) if "without" in entry else None
    return Prompt(prompt_id, text, tuple(parts), without, entry.get("max_s"), entry.get("faster", 0))


def _word(entry: str | Mapping[str, str]) -> Word:
    if isinstance(entry, str):
        return Word(entry, entry)
    return Word(entry["text"], entry["say"])


def _unplayable(path: Path, why: str) -> PromptMissing:
    return PromptMissing(
        f"{path}: cannot be played ({why}); import it again, it must be wav, 8000 Hz, 16 bit, mono.",
        f"{path}:无法播放({why});请重新导入,格式须为 wav、8000 Hz、16 位、单声道。",
    )


def _wrong_slot(prompt: Prompt, slot: Slot, got: str) -> PromptSlotWrong:
    return PromptSlotWrong(
        f"Prompt {prompt.prompt_id} needs {slot.name} as {slot.kind.value}, got {got}.",
        f"提示音 {prompt.prompt_id} 需要参数 {slot.name}({slot.kind.value}),收到 {got}。",
    )

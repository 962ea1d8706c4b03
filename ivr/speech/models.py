"""Which recogniser model is used, and whether it can be used at all.

Looks on this machine only: nothing is ever downloaded, least of all during a call. A broken model
is found here, before the library sees it, because the library answers one with a crash.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import HotlineError

DEMONSTRATION = Path(__file__).with_name("models") / "demonstration"
# The small Chinese model of the vosk project, Apache-2.0, for real service.
SERVICE_MODEL = "vosk-model-small-cn-0.22"
SERVICE_MODEL_SHA256 = "3af8b0e7e0f835ae9d414ce5df580237a3cfb08d586c9fbbb0f7ff29ad5b14ba"
TELEPHONE_HZ = 8000

# Kaldi's own default where conf/mfcc.conf does not say.
_DEFAULT_MODEL_HZ = 16000
_NEEDED = ("am/final.mdl", "conf/mfcc.conf", "conf/model.conf")
# One compiled graph, or the pair that lets grammars be set while running.
_GRAPHS = (("graph/HCLG.fst",), ("graph/HCLr.fst", "graph/Gr.fst"))
_HASH_BLOCK = 1 << 20


class ModelMissing(HotlineError):
    """The folder of the model is not there."""

    code = "speech_model_missing"


class ModelBroken(HotlineError):
    """The folder is there, but a recogniser cannot be built from it."""

    code = "speech_model_broken"


class ModelFileWrong(HotlineError):
    """The zip file offered for installation is not the model it should be."""

    code = "speech_model_file_wrong"


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model before it is loaded.

    Attributes:
        path: its folder.
        name: for transcripts and the status.
        demonstration: a few hundred words of synthetic voices; proves nothing about people.
        rate_hz: the sampling rate its features are made of.
        feed_hz: the rate audio has to be fed at: 8000 where the model upsamples itself.
    """

    path: Path
    name: str
    demonstration: bool
    rate_hz: int
    feed_hz: int


def find_model(setting: Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Choose the model folder: the setting, an installed service model, else the demonstration model.

    Args:
        setting: ``IVR_VOSK_MODEL``; taken as it is, even if it is wrong, so that the error says so.
        environ: where ``VOSK_MODEL_PATH`` is looked up; the process environment by default.
    """
    if setting is not None:
        return setting
    environ = os.environ if environ is None else environ
    parents = [Path("/usr/share/vosk"), Path.home() / ".cache" / "vosk"]
    if environ.get("VOSK_MODEL_PATH"):
        parents.insert(0, Path(environ["VOSK_MODEL_PATH"]))
    for parent in parents:
        if (parent / SERVICE_MODEL / "am" / "final.mdl").exists():
            return parent / SERVICE_MODEL
    return DEMONSTRATION


def check_model(path: Path) -> ModelFacts:
    """Make sure that a folder holds a whole vosk model.

    Raises:
        ModelMissing: there is no such folder.
        ModelBroken: a file is missing, empty or not what ``SHA256SUMS`` says, or ``model.json`` cannot
            be read.
    """
    if not path.is_dir():
        raise ModelMissing(
            f"The speech model folder {path} does not exist; set IVR_VOSK_MODEL to a vosk model, "
            f"or unset it to use the demonstration model.",
            f"语音模型目录 {path} 不存在；请将 IVR_VOSK_MODEL 指向 vosk 模型，或取消设置以使用演示模型。",
        )
    for name in _NEEDED:
        _require(path, name)
    if not any(all((path / name).exists() for name in graph) for graph in _GRAPHS):
        raise _broken(path, "graph/HCLG.fst (or HCLr.fst with Gr.fst) is missing")
    for graph in _GRAPHS:
        for name in graph:
            if (path / name).exists():
                _require(path, name)
    _verify_sums(path)
    about = _about(path)
    rate_hz, upsamples = _sampling(path / "conf" / "mfcc.conf")
    feed_hz = TELEPHONE_HZ if rate_hz == TELEPHONE_HZ or upsamples else rate_hz
    return ModelFacts(
        path, str(about.get("name", path.name)), bool(about.get("demonstration", False)), rate_hz, feed_hz
    )


def sha256(path: Path) -> str:
    """Compute the checksum of a file without reading it into memory at once."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def install_model(
    zip_path: Path, target_dir: Path, *, expected_sha256: str = SERVICE_MODEL_SHA256
) -> ModelFacts:
    """Unpack a model that an administrator brought, after checking that it is what it should be.

    Args:
        zip_path: the zip file as the vosk project publishes it.
        target_dir: parent folder; the model's own folder name is kept inside it.
        expected_sha256: checksum of the zip file.

    Raises:
        ModelFileWrong: no such file, another checksum, or not one clean folder inside.
        ModelBroken: what was inside is not a whole model; nothing is left behind.
    """
    if not zip_path.is_file():
        raise ModelFileWrong(f"There is no file {zip_path}.", f"文件 {zip_path} 不存在。")
    found = sha256(zip_path)
    if found != expected_sha256:
        raise ModelFileWrong(
            f"{zip_path} is not the expected model (sha256 {found[:12]}…, not {expected_sha256[:12]}…); "
            f"get {SERVICE_MODEL}.zip again.",
            f"{zip_path} 不是预期的模型文件（sha256 不符）；请重新获取 {SERVICE_MODEL}.zip。",
        )
    target_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target_dir, prefix=".installing-") as scratch:
        inside = _unpack(zip_path, Path(scratch))
        check_model(inside)
        target = target_dir / inside.name
        if target.exists():
            shutil.rmtree(target)
        inside.rename(target)
    return check_model(target)


def _unpack(zip_path: Path, scratch: Path) -> Path:
    try:
        with zipfile.ZipFile(zip_path) as archive:
            names = [Path(name) for name in archive.namelist()]
            tops = {name.parts[0] for name in names if name.parts}
            unsafe = any(name.is_absolute() or ".." in name.parts for name in names)
            if unsafe or len(tops) != 1:
                raise ModelFileWrong(f"{zip_path} does not hold exactly one model folder.")
            archive.extractall(scratch)
    except zipfile.BadZipFile as error:
        raise ModelFileWrong(f"{zip_path} is not a zip file.", f"{zip_path} 不是 zip 文件。") from error
    return scratch / tops.pop()


def _require(path: Path, name: str) -> None:
    file = path / name
    if not file.is_file():
        raise _broken(path, f"{name} is missing")
    if not file.stat().st_size:
        raise _broken(path, f"{name} is empty")


def _verify_sums(path: Path) -> None:
    """Compare every file with the checksums that came with the model, where any came."""
    sums = path / "SHA256SUMS"
    if not sums.is_file():
        return
    for line in sums.read_text(encoding="utf-8", errors="replace").splitlines():
        wanted, _, name = line.partition("  ")
        file = path / name
        if not file.is_file():
            raise _broken(path, f"{name} is missing")
        if sha256(file) != wanted:
            raise _broken(path, f"{name} is damaged (its checksum is wrong)")


def _broken(path: Path, why: str) -> ModelBroken:
    return ModelBroken(
        f"The speech model in {path} cannot be used: {why}; install it again.",
        f"语音模型 {path} 无法使用：{why}；请重新安装。",
    )


def _about(path: Path) -> Mapping[str, object]:
    file = path / "model.json"
    if not file.exists():
        return {}
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(path, f"model.json cannot be read ({error})") from error
    if not isinstance(about, dict):
        raise _broken(path, "model.json is not an object")
    return about


def _sampling(mfcc_conf: Path) -> tuple[int, bool]:
    """Read the model's rate in Hz and whether it takes audio of a lower rate (Kaldi: allow-upsample)."""
    text = mfcc_conf.read_text(encoding="utf-8", errors="replace")
    rate = re.search(r"^\s*--sample-frequency\s*=\s*([0-9.]+)", text, re.MULTILINE)
    upsample = re.search(r"^\s*--allow-upsample\s*=\s*(true|1)\b", text, re.MULTILINE | re.IGNORECASE)
    return (int(float(rate.group(1))) if rate else _DEFAULT_MODEL_HZ), upsample is not None

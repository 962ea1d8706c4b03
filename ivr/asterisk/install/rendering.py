"""Render the templates of ``asterisk_conf/`` into an instance's ``etc`` folder.

Every value that goes into a file is checked here, once: a control character, a quote, a
semicolon (Asterisk's comment) or ``${`` from outside is refused, so that no value can become
configuration.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from ivr.errors import HotlineError

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\"\\;]|\$[{\[]|\A#")

AMI_EVENTS = (
    "FullyBooted",
    "Shutdown",
    "Reload",
    "QueueCallerJoin",
    "AgentCalled",
    "AgentConnect",
    "AgentComplete",
    "AgentRingNoAnswer",
    "QueueMemberAdded",
    "QueueMemberRemoved",
    "QueueMemberPause",
    "Hangup",
    "DTMFEnd",
    "ContactStatus",
    "UserEvent",
    "ConfbridgeJoin",
    "ConfbridgeLeave",
    "OriginateResponse",
    "DialState",
    "DialEnd",
    "InvalidAccountID",
    "InvalidPassword",
    "FailedACL",
    "ChallengeResponseFailed",
)
"""The events the engine hears; everything else stays in Asterisk."""

MODULES = (
    # wires
    "res_pjproject", "res_sorcery_config", "res_sorcery_memory", "res_sorcery_astdb", "res_rtp_asterisk",
    "res_timing_timerfd", "res_pjsip", "res_pjsip_session", "res_pjsip_sdp_rtp", "res_pjsip_authenticator_digest",
    "res_pjsip_outbound_authenticator_digest", "res_pjsip_registrar", "res_pjsip_caller_id", "res_pjsip_diversion",
    "res_pjsip_header_funcs", "res_pjsip_endpoint_identifier_ip", "res_pjsip_endpoint_identifier_user",
    "res_pjsip_dtmf_info", "res_pjsip_nat", "res_pjsip_rfc3326", "res_pjsip_dlg_options", "res_pjsip_acl",
    # answers REFER, a phone's transfer key, with 603 (allow_transfer = no): without it a phone hears nothing for 32 s
    "res_pjsip_refer",
    # declines fax lines (no endpoint has t38_udptl): without it an offer with one is answered, and then not one packet
    "res_pjsip_t38",
    # copies the carrier's packets, in which the engine finds the calls that Asterisk refuses by itself
    "res_pjsip_logger",
    "res_pjsip_empty_info", "res_pjsip_path", "res_pjsip_pubsub", "chan_pjsip",
    # audio
    "codec_alaw", "codec_ulaw", "codec_a_mu", "codec_resample", "format_wav", "format_pcm", "format_sln",
    "res_musiconhold", "bridge_simple", "bridge_native_rtp", "bridge_softmix", "bridge_holding",
    "bridge_builtin_features",
    # dialplan
    "pbx_config", "app_queue", "app_playback", "app_mixmonitor", "app_celgenuserevent", "app_userevent",
    "app_chanspy", "app_verbose", "app_stack", "app_exec", "app_read", "app_dial",
    "app_record", "app_senddtmf", "func_db", "res_speech", "res_agi",
    "func_callerid", "func_cdr",
    "func_channel", "func_cut", "func_dialplan", "func_groupcount", "func_lock", "func_logic", "func_md5", "func_strings",
    "func_timeout", "func_uri",
    "func_pjsip_aor", "func_pjsip_contact", "func_periodic_hook", "func_volume", "res_clioriginate",
    # rooms
    "app_confbridge",
    # records
    "res_cdrel_custom", "cdr_custom", "cel_custom",
)  # fmt: skip
"""Modules to load, in an order that needs no autoload."""


class RenderingError(HotlineError):
    """A template or a value for it cannot be used."""

    code = "rendering"


def _checked(value: object) -> str:
    text = str(value)
    if _UNSAFE.search(text):
        raise RenderingError(
            f"the value {text!r} cannot stand in an Asterisk file: remove control characters, quotes, "
            "backslashes, semicolons and ${.",
            f"值 {text!r} 不能写入 Asterisk 配置:请去掉控制字符、引号、反斜杠、分号和 ${{。",
        )
    return text


def render(templates: Path, target: Path, context: Mapping[str, object], *, pieces_only: bool = False) -> str:
    """Render all templates.

    Args:
        templates: ``asterisk_conf/``.
        target: the ``etc`` folder to write to; files that are the same are left alone.
        context: values by name.
        pieces_only: render only what a city's own Asterisk includes.

    Returns:
        The SHA-256 of everything rendered, by which a checked configuration is known again.

    Raises:
        RenderingError: a template or a value cannot be used.
    """
    environment = Environment(
        loader=FileSystemLoader(templates),
        undefined=StrictUndefined,
        finalize=_checked,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    digest = hashlib.sha256()
    for name in sorted(environment.list_templates(extensions=["j2"])):
        if pieces_only and "/" not in name:
            continue
        try:
            text = environment.get_template(name).render(context)
        except TemplateError as error:
            raise RenderingError(f"asterisk_conf/{name}: {error}", f"asterisk_conf/{name}:{error}") from error
        path = target / name.removesuffix(".j2")
        digest.update(f"{name}\0{text}\0".encode())
        _write(path, text)
    return digest.hexdigest()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)

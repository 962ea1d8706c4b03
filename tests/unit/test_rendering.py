"""Asterisk's files: no value that a person wrote can become configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.asterisk.install.rendering import RenderingError, render
from ivr.home.secrets import open_keys
from ivr.home.settings import Settings
from ivr.hotline.book import Seat, Trunks
from ivr.hotline.telephone import NumberPlan
from ivr.rollout import staging as deployment
from ivr.transfers.targets import codes_of
from tests.unit.kit import small_book

ANY_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40) | st.sampled_from(
    [
        "a\nb",
        "x\r\n[evil]",
        '"',
        "a;b",
        "${SHELL(x)}",
        "$[1]",
        "#include x",
        "#exec x",
        "a\\",
        "\0",
        "[x]",
        "\u2028",
        "张三",
    ]
)


DESTINATIONS = {
    "110": ("sip:110@127.0.0.1:5110", "sip:110@127.0.0.1:5111"),
    "119": ("sip:119@127.0.0.1:5119",),
    "subcenter:market_12315": ("sip:12315@127.0.0.1:5200",),
    "callback": ("sip:127.0.0.1:5300",),
}
"""With these nothing of the templates is left out."""


def templates(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / "conf" / f"{name.replace('__', '/')}.conf.j2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "conf"


def read(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): p.read_text("utf-8") for p in sorted(folder.rglob("*")) if p.is_file()
    }


@settings(max_examples=300)
@given(ANY_TEXT)
def test_a_name_stays_one_value_on_one_line_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "names"
    source = templates(folder, one='[seat]\ncallerid = "{{ name }}" <8001>\nmore = 1\n')
    try:
        render(source, folder / "etc", {"name": name})
    except RenderingError as error:
        assert repr(name) in error.sentence
        return
    text = (folder / "etc/one.conf").read_bytes().decode()
    assert text.split("\n") == ["[seat]", f'callerid = "{name}" <8001>', "more = 1", ""]
    assert not re.search(r"[;\"\\\x00-\x1f\x7f]|\$[{\[]", name)


@pytest.mark.parametrize(
    "name",
    ["张三", "O'Neil", "a b,c", "综合受理(一)", "50%", "a=b", "a[1]"],  # half-width kept
)
def test_ordinary_names_are_not_refused(tmp_path: Path, name: str) -> None:
    source = templates(tmp_path, one="name = {{ name }}\n")
    render(source, tmp_path / "etc", {"name": name})
    assert (tmp_path / "etc/one.conf").read_text("utf-8") == f"name = {name}\n"


def shape(files: Mapping[str, str]) -> list[tuple[str, int, int]]:
    """How many lines and how many sections each file has."""
    return [
        (name, text.count("\n"), sum(line.startswith("[") for line in text.split("\n")))
        for name, text in files.items()
    ]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    home = tmp_path_factory.mktemp("hotline")
    return home, render_hotline(home, Seat("01", "8001"), "from-110", DESTINATIONS)


def render_hotline(
    home: Path,
    seat: Seat,
    user: str,
    destinations: Mapping[str, tuple[str, ...]] | None = None,
    phone_check_s: int = 30,
) -> dict[str, str]:
    trunks = Trunks(from_110_username=user, destinations=destinations or {})
    book = small_book(seats=(seat,), trunks=trunks)
    keys = open_keys(home / "keys", deployment.sip_users(book), [])
    places = {"home": home, "run": home / "run", "modules": home / "modules", "module_names": ["chan_pjsip"]}
    context = deployment.context(Settings(home=home, phone_check_s=phone_check_s), book, keys, places)
    render(deployment.TEMPLATES, home / "etc", context)
    return read(home / "etc")


@settings(max_examples=25)
@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_no_name_in_the_hotline_s_files_adds_a_section_or_a_line_to_asterisk_s(
    rendered: tuple[Path, dict[str, str]], seat: str, extension: str, user: str
) -> None:
    home, files = rendered
    try:
        changed = render_hotline(home, Seat(seat, extension), f"u{user}", DESTINATIONS)
    except RenderingError:
        return
    assert shape(changed) == shape(files)
    assert any(f"座席{seat}" in text for text in changed.values())


def test_every_file_of_ours_is_rendered_and_unreadable_for_others(
    rendered: tuple[Path, dict[str, str]],
) -> None:
    home, _ = rendered
    names = {
        str(p.relative_to(deployment.TEMPLATES).with_suffix("")) for p in deployment.TEMPLATES.rglob("*.j2")
    }
    files = read(home / "etc")
    assert set(files) == names
    assert all((home / "etc" / name).stat().st_mode & 0o077 == 0 for name in files)
    assert not any("{{" in text or "{%" in text for text in files.values())


def test_what_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    source = templates(tmp_path, one="a = {{ a }}\n", two="b\n")
    first = render(source, tmp_path / "etc", {"a": 1})
    os.utime(tmp_path / "etc/one.conf", (1, 1))
    assert render(source, tmp_path / "etc", {"a": 1}) == first
    assert (tmp_path / "etc/one.conf").stat().st_mtime == 1
    assert render(source, tmp_path / "etc", {"a": 2}) != first
    assert (tmp_path / "etc/one.conf").read_text() == "a = 2\n"


@pytest.mark.parametrize("text", ["{{ missing }}", "{% if %}", "{{ a.b.c }}", "{{ "])
def test_a_broken_template_is_named(tmp_path: Path, text: str) -> None:
    source = templates(tmp_path, broken=text)
    with pytest.raises(RenderingError, match=r"asterisk_conf/broken\.conf\.j2: "):
        render(source, tmp_path / "etc", {"a": 1})


def test_a_city_s_own_asterisk_gets_only_the_pieces(tmp_path: Path) -> None:
    source = templates(tmp_path, whole="x\n", ours__piece="y\n")
    render(source, tmp_path / "etc", {}, pieces_only=True)
    assert list(read(tmp_path / "etc")) == ["ours/piece.conf"]


@pytest.mark.parametrize(("bind", "strict"), [("127.0.0.1", "no"), ("0.0.0.0", "yes")])
def test_asterisk_holds_on_to_a_voice_s_first_address_where_strangers_can_send(
    bind: str, strict: str, tmp_path: Path
) -> None:
    keys = open_keys(tmp_path / "keys", deployment.sip_users(small_book()), [])
    places = {"home": tmp_path, "run": tmp_path, "modules": tmp_path, "module_names": ["chan_pjsip"]}
    context = deployment.context(Settings(home=tmp_path, bind=bind), small_book(), keys, places)
    render(deployment.TEMPLATES, tmp_path / "etc", context)
    assert f"\nstrictrtp = {strict}\n" in (tmp_path / "etc/rtp.conf").read_text("utf-8")


def test_a_callback_is_promised_only_where_one_can_be_made(tmp_path: Path) -> None:
    without = render_hotline(tmp_path / "a", Seat("01", "8001"), "u")["ivr12345/extensions.conf"]
    assert "P042" not in without, "the message is asked for without the promise"
    assert "S031" in without
    called = {"callback": ("sip:127.0.0.1:5200",)}
    both = render_hotline(tmp_path / "b", Seat("01", "8001"), "u", called)["ivr12345/extensions.conf"]
    assert "P042" in both
    patterns = re.findall(r"exten => _c(\S+),1,NoOp", both)
    plan = NumberPlan("0833")
    digits = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", "+": r"\+"}
    rule = "^(" + "|".join(re.sub("[XZN+]", lambda m: digits[m[0]], one) for one in patterns) + ")$"
    for number in (
        "13800138000",
        "8613800138000",
        "008613800138000",
        *("083312345678", "2345678", "013800138000", "+86013800138000", "+868332123456", "8332123456"),
        *("862887654321", "+862123456", "+13800138000", "+12025550100", "0086083312345678", "862123456"),
        "110",
        "12345",
        "anonymous",
        "",
    ):
        assert bool(re.search(rule, number)) is bool(plan.diallable(number)), number


@pytest.mark.parametrize("seat", ["01", "001", "0001"])
def test_a_code_that_names_a_seat_is_as_long_as_the_city_s_seat_ids(seat: str, tmp_path: Path) -> None:
    text = "".join(render_hotline(tmp_path, Seat(seat, "8001"), "from-110").values())
    digits, codes = "X" * len(seat), codes_of(small_book(seats=(Seat(seat, "8001"),)))
    assert f"exten => _*1[5-8]{digits},1,Goto(ivr-leader,${{EXTEN}},1)" in text
    assert f"exten => _*1X{digits},1,Answer(0,i)" in text
    assert f'"8"]?Read(IVR_MORE,,{len(seat)},,1,5))' in text
    assert codes[f"8{seat}"] == f"seat:{seat}"
    assert f"[seat{seat}](ivr-seat)" in text
    others = {code: len(code) for code in codes if not code.startswith("8")}
    assert set(others.values()) <= {1, 3, 4}, "a queue's and a unit's code is as long as ever"

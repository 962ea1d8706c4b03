"""The lint of Chinese punctuation: what it refuses, what it leaves alone, what it writes instead."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from tools.lint.chinese_punctuation import LEFT_ALONE, faults, main, mended
from tools.prompts.synthesis import as_read


def marks(name: str, text: str) -> str:
    return "".join(fault.mark for fault in faults(PurePath(name), text))


def as_mended(name: str, text: str) -> str:
    return mended(text, faults(PurePath(name), text))


@pytest.mark.parametrize("mark", list(",;:?!"))
def test_every_mark_between_chinese_characters_is_refused(mark: str) -> None:
    assert marks("a.md", f"没有响应{mark}请稍后再试。\n") == mark
    assert marks("a.py", f'ZH = "没有响应{mark}请稍后再试。"\n') == mark
    assert marks("a.yaml", f"ask: '没有响应{mark}请稍后再试。'\n") == mark
    assert marks("a.conf.j2", f"; 没有响应{mark}请稍后再试。\n") == mark


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("见说明(英文)。", "见说明（英文）。"),
        ("编码 G.711(PCMA 或 PCMU)。", "编码 G.711（PCMA 或 PCMU）。"),
        ("系统已停止,Asterisk 仍在运行。", "系统已停止，Asterisk 仍在运行。"),
        ("无法读取 Asterisk:请检查权限。", "无法读取 Asterisk：请检查权限。"),
        ("请用 `ivr check`,再用 `ivr apply`。", "请用 `ivr check`，再用 `ivr apply`。"),
        ("写入(权限 0600):密码。", "写入（权限 0600）：密码。"),
        ("不需要 root,\n也不改动系统。", "不需要 root，\n也不改动系统。"),
        ("见([原因](decisions/a.md))。", "见（[原因](decisions/a.md)）。"),
        ("没有响应, 请稍后再试。", "没有响应，请稍后再试。"),
    ],
)
def test_a_sentence_with_latin_words_or_code_in_it_is_still_chinese(written: str, right: str) -> None:
    assert as_mended("a.md", written) == right
    assert faults(PurePath("a.md"), right) == []


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ('f"没有 {name},请填写。"', 'f"没有 {name}，请填写。"'),
        ('f"{name}({why});请检查。"', 'f"{name}（{why}）；请检查。"'),
        (
            '(\n    "无法启动,引擎将"\n    f"{what},稍后重试"\n)',
            '(\n    "无法启动，引擎将"\n    f"{what}，稍后重试"\n)',
        ),
        ('("无法启动:"  # a remark\n    f"{why}")', '("无法启动："  # a remark\n    f"{why}")'),
        ("f\"可选：{', '.join(known)}。\"", "f\"可选：{'，'.join(known)}。\""),
        ("f\"代码将变为{after or '无人,请填写'}\"", "f\"代码将变为{after or '无人，请填写'}\""),
        ('"第一行,有误\\n第二行"', '"第一行，有误\\n第二行"'),
    ],
)
def test_a_sentence_cut_into_literals_and_fields_is_read_as_one(written: str, right: str) -> None:
    assert as_mended("a.py", f"ZH = {written}\n") == f"ZH = {right}\n"


def test_comments_docstrings_and_examples_are_read_too() -> None:
    assert marks("a.py", '"""应用配置,不影响通话。"""\nX = 1  # 来电;去电\n') == ",;"
    assert marks("a.yaml", "keys: {}  # 菜单:数字到部门线 / menu: digit to line\n") == ":"
    assert marks("a.md", "```yaml\nask: 是养老,还是缴费?   # 可省略:提问\n```\n") == ",?:"
    assert marks("a.md", "```bash\nmake run   # 准备,然后接听来电\n```\n") == ","


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "按 `ivr up,请:(x)` 运行。\n"),  # code
        ("a.md", "```bash\nivr lines match --speech 我想问,公积金\n```\n"),
        ("a.md", "见[说明](#录音,与:个人信息)一节。\n"),  # a link's target
        ("a.md", "A call (来电): it begins with the greeting (问候), and ends with hanging up.\n"),  # English
        ("a.md", "# Three parties (三方通话与移交)\n"),
        ("a.md", "The ways of merging (整体并入, 双号并行, 设分中心) are the report's.\n"),
        ("a.md", "时间为 8:00 至 16:00,比例 1:2。\n".replace(",", "，")),
        ("a.md", "不能含有 , ; ( 和 ) 等符号。\n"),  # the signs themselves
        ("a.yaml", "aliases: [社保热线, '社保(局)', 社保]\nwords: [着火, 火警]\n"),
        ("a.yaml", "部门:名: 人社局\nname: 人社局\n"),  # a key
        ("a.py", 'ZH = f"管理端口 {host}:{port} 没有响应：{why}"\n'),
        ("a.py", 'ZH = "请写例如 sip:号码@主机:端口（不支持其他）。"\n'),
        ("a.py", 'ZH = "例如 postgresql+asyncpg://用户:密码@主机/库名，留空也可。"\n'),
        ("a.py", 'ZH = f"可写 unit:单位 或 subcenter:部门线，现为 unit:{unit}。"\n'),
        ("a.py", 'ZH = f"平均等待 {wait:.1f} 秒"\n'),
        ("a.py", 'PAIR = {"rest": ("rest", "小休"), "meal": ("meal", "用餐")}\n'),
        ("a.py", 'LINES = "lines:\\n  - {id: a, name: 人社局, aliases: [社保, 医保]}\\n    department: 人社局\\n"\n'),
        ("a.py", 'import re\nX = re.compile("(?:不是|没有)[要想]?(?:说|问)")\n'),
        ("a.py", 'HEARD = "那个,我想问一下"  # half-width kept\n'),
        ("a.conf", "; 注释\n[queues]\n"),
    ],
)  # fmt: skip
def test_what_is_no_chinese_sentence_keeps_its_marks(name: str, text: str) -> None:
    assert faults(PurePath(name), text) == []


def test_a_refusal_says_where_and_what_it_should_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("第一行。\n没有响应,请稍候。\n", encoding="utf-8")
    assert main([str(page)]) == 1
    assert f"{page}:2:5: ',' should be '，'" in capsys.readouterr().out
    assert main(["--mend", str(page)]) == 0
    assert page.read_text(encoding="utf-8") == "第一行。\n没有响应，请稍候。\n"
    assert main([str(page)]) == 0 and not capsys.readouterr().out


def test_a_file_that_is_no_text_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\xff\xfe,\xe4")
    assert main([str(tmp_path / "a.wav")]) == 0


def test_a_file_left_alone_stays_so_when_a_commit_hook_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    assert main(["tests/unit/test_chinese_punctuation.py", "tests/data/utterances.yaml"]) == 0


def test_every_file_left_alone_exists() -> None:
    root = Path(__file__).parents[2]
    assert [path for path in LEFT_ALONE if not (root / path).exists()] == []


def test_a_prompt_is_synthesised_from_the_marks_its_recording_was_made_with() -> None:
    assert as_read("您好，请按1；急事：拨110？（或119）！谢谢。") == "您好,请按1;急事:拨110?(或119)!谢谢。"

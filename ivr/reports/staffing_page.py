"""A staffing forecast as one HTML file that opens anywhere: no script, no outside resource."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ivr.reports import charts
from ivr.reports.staffing import Change, Figures, Forecast, Targets

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2733;--soft:#5b6b7a;--paper:#fff;--card:#f4f7fa;--line:#dde4ea;
--calls:#b9cbe0;--people:#1f4e8c;--rate:#0a7d5a;--fast:#c2570c;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9fb0c0;--paper:#10161d;--card:#18212b;
--line:#2b3846;--calls:#3a506a;--people:#8db8f0;--rate:#4fd0a3;--fast:#f3a05f;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 "Noto Sans CJK SC","Source Han Sans SC","PingFang SC","Microsoft YaHei",system-ui,sans-serif}
main{max-width:980px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:24px;margin:0}h2{font-size:16px;margin:30px 0 8px}
p{color:var(--soft);margin:4px 0}
.cards{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0 0;padding:0}
.card{flex:1 1 150px;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.card b{display:block;font-size:24px;font-variant-numeric:tabular-nums}.card span{color:var(--soft);font-size:13px}
.card.bad b,td.bad{color:var(--bad);font-weight:600}
svg{width:100%;height:auto;display:block}
svg text{fill:var(--soft);font-size:12px;font-family:inherit}
.grid{stroke:var(--line)}.calls{fill:var(--calls)}
polyline{fill:none;stroke-width:2.5;stroke-linejoin:round}
polyline.people{stroke:var(--people)}polyline.rate{stroke:var(--rate)}polyline.fast{stroke:var(--fast)}
.dot.rate{fill:var(--rate)}.dot.fast{fill:var(--fast)}
.target{stroke-dasharray:5 5;stroke-width:1.5}.target.rate{stroke:var(--rate)}.target.fast{stroke:var(--fast)}
.key{display:flex;flex-wrap:wrap;gap:6px 18px;font-size:13px;color:var(--soft)}
.key i{display:inline-block;width:14px;height:10px;border-radius:3px;margin-right:6px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
th,td{padding:5px 8px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:500;font-size:12px;line-height:1.3}th:first-child,td:first-child{text-align:left}
tfoot td{font-weight:600}
@media print{main{max-width:none;padding:0}}
"""

_HEADS = (
    ("时段", "hour"),
    ("来电", "calls"),
    ("在岗", "on duty"),
    ("人工接通率", "connected"),
    ("15秒÷呼入", "15 s of offered"),
    ("15秒÷接通", "15 s of answered"),
    ("平均等待", "mean wait"),
    ("利用率", "occupancy"),
)


def page(
    forecast: Forecast,
    *,
    city: str = "",
    needed: Sequence[int | None] | None = None,
    changes: Sequence[Change] = (),
    targets: Targets | None = None,
) -> str:
    """Return the file's text.

    Args:
        forecast: the day.
        city: the hotline's city, for the head.
        needed: the fewest people for each hour, where they were asked for.
        changes: what a new roster changes, from :func:`ivr.reports.staffing.effect`.
        targets: what is marked where it is missed.
    """
    targets = targets or Targets()
    parts = [
        _head(forecast, city),
        _cards(forecast.day, targets),
        effect_table(changes) if changes else "",
        _calls_and_people(forecast),
        _shares(forecast, targets),
        _table(forecast, needed, targets),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>排班测算 Staffing</title><style>{_STYLE}</style></head>\n"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def effect_table(changes: Sequence[Change]) -> str:
    """Return what a new roster changes, as a table for any page."""
    rows = "".join(
        f"<tr><td>{escape(change.zh)} {escape(change.name)}</td>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in change.cells())
        + "</tr>"
        for change in changes
    )
    return (
        '<h2>新排班的影响 What the new roster changes</h2><div class="wide"><table><thead><tr>'
        "<th>指标<br>figure</th><th>现在<br>before</th><th>之后<br>after</th><th>变化<br>change</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _head(forecast: Forecast, city: str) -> str:
    demand = forecast.demand
    own = demand.profile.calls, demand.profile.days
    rests_zh = f"（{own[1]} 个整天 {own[0]} 通来电）" if own[0] else ""
    rests = f" ({own[0]} calls of {own[1]} whole days)" if own[0] else ""
    return (
        f"<h1>{escape(city)} 12345 排班测算 <small>Staffing</small></h1>"
        f"<p>每天 {demand.calls_per_day:g} 通来电，平均处理 {demand.aht_s:g} 秒，平均耐心 {demand.patience_s:g} 秒；"
        f"时段分布：{escape(demand.profile.source)}{rests_zh}。Erlang A 逐小时计算。</p>"
        f"<p>{demand.calls_per_day:g} calls a day, {demand.aht_s:g} s a call, patience {demand.patience_s:g} s; "
        f"profile of the day: {escape(demand.profile.source)}{rests}. Erlang A, hour by hour.</p>"
    )


def _cards(day: Figures, targets: Targets) -> str:
    cards = (
        ("人工接通率 connected", f"{day.connection_rate:.1%}", day.connection_rate < targets.connection_rate),
        (
            "15秒应答÷呼入 of offered",
            f"{day.answered_15s_of_offered:.1%}",
            day.answered_15s_of_offered < targets.answered_15s,
        ),
        (
            "15秒应答÷接通 of answered",
            f"{day.answered_15s_of_answered:.1%}",
            day.answered_15s_of_answered < targets.answered_15s,
        ),
        ("平均等待 mean wait", f"{day.mean_wait_s:.1f} s", False),
        ("利用率 occupancy", f"{day.occupancy:.1%}", day.occupancy > targets.occupancy),
    )
    body = "".join(
        f'<div class="card{" bad" if bad else ""}"><b>{value}</b><span>{name}</span></div>'
        for name, value, bad in cards
    )
    return f'<div class="cards">{body}</div>'


def _calls_and_people(forecast: Forecast) -> str:
    calls = [figures.calls for figures in forecast.hours]
    left = charts.scale_to(max(calls))
    right = charts.scale_to(max(1, *forecast.plan.quarters))
    titles = [
        f"{hour:02}–{hour + 1:02}: {count:.1f} 通 calls, {forecast.plan.of_hour(hour):g} 人 people"
        for hour, count in enumerate(calls)
    ]
    picture = charts.drawing(
        "每小时来电与在岗人数 calls and people by hour",
        charts.frame(left, right),
        charts.bars(calls, left, "calls", titles),
        charts.steps(forecast.plan.quarters, right, "people"),
    )
    key = _key(("calls", "来电（左轴）calls, left"), ("people", "在岗人数（右轴）people on duty, right"))
    return f"<h2>来电与在岗人数 Calls and people on duty</h2>{key}{picture}"


def _shares(forecast: Forecast, targets: Targets) -> str:
    rates = [figures.connection_rate for figures in forecast.hours]
    fast = [figures.answered_15s_of_offered for figures in forecast.hours]
    scale = charts.Scale(0.0, 1.0, 0.2, percent=True)
    picture = charts.drawing(
        "每小时接通率与15秒应答 connection rate and 15 s share by hour",
        charts.frame(scale),
        charts.target(targets.connection_rate, scale, "rate"),
        charts.target(targets.answered_15s, scale, "fast"),
        charts.curve(rates, scale, "rate", [f"{at:02}: {rate:.1%}" for at, rate in enumerate(rates)]),
        charts.curve(fast, scale, "fast", [f"{at:02}: {share:.1%}" for at, share in enumerate(fast)]),
    )
    key = _key(
        ("rate", f"人工接通率（目标 {targets.connection_rate:.0%}）connected"),
        ("fast", f"15秒应答÷呼入（目标 {targets.answered_15s:.0%}）answered within 15 s of offered"),
    )
    return f"<h2>接通率与15秒应答 Connection rate and 15 s share</h2>{key}{picture}"


def _key(*entries: tuple[str, str]) -> str:
    body = "".join(
        f'<span><i style="background:var(--{kind})"></i>{escape(words)}</span>' for kind, words in entries
    )
    return f'<div class="key">{body}</div>'


def _table(forecast: Forecast, needed: Sequence[int | None] | None, targets: Targets) -> str:
    heads = [*_HEADS, *([("需要人数", "needed")] if needed else [])]
    rows = []
    for hour, figures in enumerate(forecast.hours):
        more = ("–" if needed[hour] is None else str(needed[hour])) if needed else None
        name = f"{hour:02}–{hour + 1:02}"
        rows.append(f"<tr>{_cells(name, forecast.plan.of_hour(hour), figures, targets, more)}</tr>")
    total = _cells("全天 day", forecast.plan.hours / 24, forecast.day, targets, "" if needed else None)
    return (
        '<h2>逐小时 Hour by hour</h2><div class="wide"><table><thead><tr>'
        + "".join(f"<th>{zh}<br>{english}</th>" for zh, english in heads)
        + f"</tr></thead><tbody>{''.join(rows)}</tbody><tfoot><tr>{total}</tr></tfoot></table></div>"
    )


def _cells(name: str, people: float, figures: Figures, targets: Targets, more: str | None) -> str:
    cells = [
        (name, False),
        (f"{figures.calls:.1f}", False),
        (f"{people:.3g}", False),
        (f"{figures.connection_rate:.1%}", figures.connection_rate < targets.connection_rate),
        (f"{figures.answered_15s_of_offered:.1%}", figures.answered_15s_of_offered < targets.answered_15s),
        (f"{figures.answered_15s_of_answered:.1%}", figures.answered_15s_of_answered < targets.answered_15s),
        (f"{figures.mean_wait_s:.1f} s", False),
        (f"{figures.occupancy:.1%}", figures.occupancy > targets.occupancy),
        *([(more, False)] if more is not None else []),
    ]
    return "".join(f'<td class="bad">{text}</td>' if bad else f"<td>{text}</td>" for text, bad in cells)

"""Rules about the database: the shape of its URL. Whether it answers is the start's business."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.home.settings import Settings
from ivr.home.settings_faults import SettingFault


def shape(settings: Settings) -> Iterator[SettingFault]:
    """Judge the URL; without one there is nothing to load SQLAlchemy for."""
    text = settings.database_url
    if not text:
        return
    if text != text.strip():
        yield SettingFault("IVR_DATABASE_URL", "has blanks at its ends; remove them.", "首尾有空白；请去掉。")
        return
    from ivr.store.urls import wrong_with

    for wrong in wrong_with(text):
        yield SettingFault("IVR_DATABASE_URL", wrong.en, wrong.zh)

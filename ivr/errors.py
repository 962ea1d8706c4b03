"""The one base of every error this engine raises on purpose.

An error carries a stable ``code`` for programs, a sentence for people in English and in
Chinese that says what is wrong and how to mend it, and whether trying again makes sense.
"""

from __future__ import annotations


class HotlineError(Exception):
    """Something a person can act on.

    Args:
        sentence: what is wrong and how to mend it, in English.
        zh: the same in Chinese; the English sentence where nobody but a developer can meet it.
        retry: whether the same request may succeed later without any change.
    """

    code = "hotline_error"
    retry = False

    def __init__(self, sentence: str, zh: str = "", *, retry: bool | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.zh = zh or sentence
        if retry is not None:
            self.retry = retry

    def for_people(self, language: str) -> str:
        """Return the sentence in ``language`` (``zh`` or anything else for English)."""
        return self.zh if language == "zh" else self.sentence

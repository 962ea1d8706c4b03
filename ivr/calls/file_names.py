"""What the files of a call's recording are called: all begin with the path that reception chose."""

from __future__ import annotations

RAW, WAV = ".raw", ".wav"
"""As Asterisk writes it, and as it is kept."""
HELP = "-help"
"""What is said to help that the dialplan called by itself."""
PART = "-part"
"""A number follows: what was said after the caller came back from somewhere."""
MESSAGE = "-message"
"""What a caller says where nobody answers."""
REMARK = "-remark"
"""Why a caller was not content."""
SPARE = "-spare"
"""Where a queue records something that is recorded elsewhere, too; deleted."""

"""Judge a report of pytest (``--junitxml``): every test was run and passed, none was skipped."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as Xml


def main() -> int:
    """Print what did not pass; the exit status is 0 when there is nothing of the kind, and some test."""
    cases = list(Xml.parse(sys.argv[1]).iter("testcase"))
    bad = 0
    for case in cases:
        for kind in ("failure", "error", "skipped"):
            for found in case.findall(kind):
                bad += 1
                print(
                    f"{kind}: {case.get('classname')}::{case.get('name')}: {found.get('message', '')[:300]}"
                )
    print(f"{len(cases)} tests, {bad} failed, skipped or in error")
    return 0 if cases and not bad else 1


if __name__ == "__main__":
    sys.exit(main())

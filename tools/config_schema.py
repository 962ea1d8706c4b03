"""Write the JSON schemas from which editors complete ``queues/*.yaml``: ``python -m tools.config_schema``.

They are made of the same models that read the files; a test compares them.
"""

from __future__ import annotations

import json
from pathlib import Path

from ivr.hotline.files.schema import FILES

FOLDER = Path(__file__).resolve().parents[1] / "queues/schema"


def schemas() -> dict[str, str]:
    """Return the text of every schema by file name."""
    found = {}
    for name, model in FILES.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
        text = json.dumps(schema, ensure_ascii=False, indent=1, sort_keys=True)
        found[name.replace(".yaml", ".json")] = text + "\n"
    return found


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""What an example's README has one type."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1]


def command(example: str, beginning: str) -> list[str]:
    """The one command of an example's README that begins so, as its words."""
    readme = (EXAMPLES / example / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    (found,) = [line for block in blocks for line in block.splitlines() if line.startswith(beginning)]
    return shlex.split(found)

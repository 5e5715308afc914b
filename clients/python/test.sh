#!/usr/bin/env bash
# Lints, type-checks and tests the client, in an environment of its own under target/. Needs Python 3.10 or later, Node.js and the built server.
set -euo pipefail

cd "$(dirname "$0")"
python=${PYTHON:-python3}
venv=$PWD/../../target/client-python
"$python" -c 'import ensurepip, venv' 2>/dev/null || ../../scripts/ensure-package.sh python3-venv
# Made anew where it is of another interpreter or other requirements.
wanted=$("$python" -c 'import sys; print(sys.executable, sys.version)'; cat pyproject.toml)
if [ "$(cat "$venv/made-of" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -e '.[dev]'
  printf '%s\n' "$wanted" > "$venv/made-of"
fi
"$venv/bin/ruff" format --check --quiet .
"$venv/bin/ruff" check --quiet .
"$venv/bin/mypy"
"$venv/bin/pytest" "$@"

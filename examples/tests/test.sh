#!/usr/bin/env bash
# Lints, type-checks and tests the examples in Python, in an environment of their own under target/. Needs what the client's test.sh does.
set -euo pipefail

cd "$(dirname "$0")/.."
client=$PWD/../clients/python
python=${PYTHON:-python3}
venv=$PWD/../target/examples-python
"$python" -c 'import ensurepip, venv' 2>/dev/null || ../scripts/ensure-package.sh python3-venv
# Made anew where it is of another interpreter or other requirements.
wanted=$("$python" -c 'import sys; print(sys.executable, sys.version)'; cat "$client/pyproject.toml" ./*/requirements.txt)
if [ "$(cat "$venv/made-of" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$venv"
  "$python" -m venv "$venv"
  # The same commands as in the examples' READMEs, beside what tests the client.
  "$venv/bin/pip" install --quiet --disable-pip-version-check -e "$client[dev]" -r payment/requirements.txt -r login/requirements.txt
  printf '%s\n' "$wanted" > "$venv/made-of"
fi
export PYTHONPATH=$client/tests:$PWD/tests PYTHONDONTWRITEBYTECODE=1
"$venv/bin/ruff" format --check --quiet .
"$venv/bin/ruff" check --quiet .
"$venv/bin/mypy" --config-file= --strict --python-version 3.10 --exclude '(^|/)(test_|tests/|node_modules/)' .
# The helpers are the client's: a server and wallets, as fixtures.
"$venv/bin/pytest" -c "$client/pyproject.toml" --rootdir . -p conftest ./*/test_*.py "$@"

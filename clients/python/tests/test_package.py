"""A stranger's afternoon: the package, built and installed in an environment of its own, and its README run as it stands."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Server, Wallet

PACKAGE = Path(__file__).resolve().parents[1]
_LONGEST_AFTERNOON = 30


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel is built from the sdist, so that it is known to be whole."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(PACKAGE))
    return out


@pytest.fixture(scope="module")
def python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the packed package and what it needs, and nothing of this folder."""
    place = tmp_path_factory.mktemp("stranger")
    run(sys.executable, "-m", "venv", str(place))
    interpreter = place / "bin/python"
    (wheel,) = built.glob("*.whl")
    run(str(interpreter), "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", str(wheel))
    return interpreter


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_packages_have_what_they_should_and_nothing_else(built: Path) -> None:
    modules = {path.name for path in (PACKAGE / "src/countersign").iterdir() if path.is_file()}
    assert "py.typed" in modules
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[1] for name in names if name.startswith("countersign/")} == modules
    assert {name.split("/")[0].split("-")[0] for name in names} == {"countersign"}
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        files = {name.split("/", 1)[1] for name in archive.getnames()}
    expected = {f"src/countersign/{name}" for name in modules} | {"README.md", "pyproject.toml", "PKG-INFO"}
    assert files - {".gitignore"} == expected


def test_the_readme_runs_as_it_stands(
    python: Path, start_server: Callable[..., Server], start_wallet: Callable[..., Wallet], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hook = f"127.0.0.1:{port}"
    server = start_server("--data-dir", str(tmp_path / "data"), "--webhook-target", f"http://{hook}/hook")
    start_wallet(server)
    blocks = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    assert len(blocks[0].splitlines()) < _LONGEST_AFTERNOON
    for old, new in (
        ("127.0.0.1:8080", server.listen),
        ("127.0.0.1:9000", hook),
        ('"127.0.0.1", 9000', f'"127.0.0.1", {port}'),
    ):
        assert old in blocks[0]
        blocks = [block.replace(old, new) for block in blocks]
    (tmp_path / "afternoon.py").write_text(blocks[0])
    lines = run(str(python), "-W", "error", "-I", "afternoon.py", cwd=tmp_path).splitlines()
    assert re.fullmatch("signature: [0-9a-f]{128}", lines[0])
    assert lines[1:] == ["receipt: signed by policy:sign-everything", "webhook: signed"]
    (tmp_path / "all.py").write_text("\n".join(blocks))
    lines = run(str(python), "-I", "all.py", cwd=tmp_path).splitlines()
    assert lines[3:-1].count("signed") == 1
    assert lines[-1] == "signed"


def test_a_strangers_program_is_type_checked(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "typed.py"
    program.write_text(
        "import countersign\n"
        'client = countersign.Countersign("http://127.0.0.1:8080", patience=5)\n'
        'reveal_type(client.send_to_sign("", b"", timeout_ms=5).signature)\n'
        'client.send_to_sign("", "text")\n'
        'client.send_to_sign("", b"", timout_ms=5)\n'
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False)
    assert 'Revealed type is "bytes"' in done.stdout.replace("builtins.", "")
    assert re.findall(r":(\d+): error: .*\[(.*)\]", done.stdout) == [("4", "arg-type"), ("5", "call-arg")], done.stdout

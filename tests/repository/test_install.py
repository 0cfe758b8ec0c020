"""How graphc is installed for development: what a script that lies beside a clone finds."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.adapters import ROOT


def test_a_folder_called_graphc_does_not_hide_the_package(tmp_path: Path) -> None:
    """The folder of a clone is no package, and yet the first thing of this name that Python looks at."""
    (tmp_path / "graphc" / "graphc").mkdir(parents=True)
    script = tmp_path / "beside.py"
    script.write_text("import graphc; print(graphc.compile(lambda x: x + 1, device='numpy')(1.0))")
    # Where graphc is not installed, it is found as the tests find it: by an entry of the path, as once installed.
    given = {"PYTHONPATH": str(ROOT)} if "PYTHONPATH" in os.environ else {}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2." in done.stdout


def test_an_editable_install_is_an_entry_of_the_path() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["tool"]["distutils"]["editable_wheel"]["mode"] == "compat"

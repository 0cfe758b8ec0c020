"""The pictures of the docs: drawn anew from the code, and from the small models that each build of the site trains.

`make docs` puts them into the site. `python .ci/images.py docs/images` writes those that are kept beside the text, for
whoever reads it elsewhere.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / ".ci")]

import gallery  # noqa: E402  # it stands beside this file

import graphc  # noqa: E402
from graphc.cli.subject import program  # noqa: E402
from graphc.models import data, plots  # noqa: E402
from graphc.models.lr_find import sweep  # noqa: E402
from graphc.models.train import RunConfig  # noqa: E402

OF_RUNS: Final = {
    "bigram.svg": ("bigram", "heatmap.svg"),
    "mlp-loss.svg": ("mlp", "loss.svg"),
    "mlp-embedding.svg": ("mlp", "embedding.svg"),
    "batchnorm-loss.svg": ("batchnorm_mlp", "loss.svg"),
    "gpt-loss.svg": ("gpt", "loss.svg"),
}
"""Pictures of the runs of the gallery: the model, and what the picture is called in its directory."""


def draw(folder: Path, runs: Path) -> None:
    """Write all pictures into a folder. runs: drawings of the gallery's runs, a folder for each model."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (model, drawn) in OF_RUNS.items():
        (folder / name).write_bytes((runs / model / drawn).read_bytes())
    example().stages[-1][1].to_svg(folder / "mlp.svg")
    fn, arguments, _ = program("microgpt", "forward", 1, ())
    graphc.compile(fn).lower(*arguments).graph.to_svg(folder / "microgpt.svg")
    found = sweep(RunConfig("mlp", None, 1000, 32, "sgd", 0.1, "constant", seed=gallery.SEED), data.load())
    plots.lr_curve(found.rates, found.losses, found.suggestion, folder / "mlp-lr.svg")


def example() -> Any:
    """The program of the README's example, whose lines are those of a file mlp.py."""
    text = (ROOT / "README.md").read_text("utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def mlp" in block)
    found: dict[str, Any] = {"print": lambda *values: None}
    exec(compile(code, "mlp.py", "exec"), found)
    program: Any = found["step"].lower(found["params"], found["x"], found["y"])
    return program


def main(folder: str) -> None:
    """Train the models of the gallery and draw everything."""
    with tempfile.TemporaryDirectory() as place:
        gallery.build(Path(place, "pages"), Path(place, "runs"))
        draw(Path(folder), Path(place, "runs"))


if __name__ == "__main__":
    main(sys.argv[1])

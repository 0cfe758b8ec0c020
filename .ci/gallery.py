"""The five models as pages for the docs site: small, trained for seconds, from text that ships with the repository."""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import graphc
from graphc.models import MODELS, data, page, plots
from graphc.models.rundir import RunDirectory
from graphc.models.train import RunConfig, train

ROOT: Final = Path(__file__).resolve().parent.parent
SEED: Final = 1

# Steps, and what differs from the model's own defaults.
SMALL: Final[dict[str, tuple[int, dict[str, Any]]]] = {
    "bigram": (200, {}),
    "mlp": (1000, {}),
    "batchnorm_mlp": (400, {"settings": {"hidden": 50}}),
    "microgpt": (500, {}),
    "gpt": (
        200,
        {
            "batch_size": 8,
            "rate": 3e-3,
            "settings": {"context": 32, "width": 64, "heads": 4, "layers": 2, "dropout": 0.0},
        },
    ),
}


def build(folder: Path, pictures: Path | None = None) -> None:
    """Train the five models and write the page of each into a folder of its name.

    pictures: where what is drawn of the runs goes, into folders of their names too.
    """
    for name, (steps, changes) in SMALL.items():
        corpus = prose() if name == "gpt" else data.load()
        defaults = MODELS[name].DEFAULTS
        run = RunConfig(name, None, steps, defaults.batch_size, defaults.optimizer, defaults.rate, defaults.decay, SEED)
        run = replace(
            run, warmup=min(defaults.warmup, steps // 10), clip=defaults.clip, evaluate_every=steps // 10, **changes
        )
        with tempfile.TemporaryDirectory() as place:
            directory = RunDirectory(Path(place), every=steps)
            trained = train(run, corpus, directory)
            params, state, step = directory.load_newest()
            if pictures is not None:
                found = plots.draw_run(Path(place), MODELS[name], params, trained.config, trained.vocabulary)
                (pictures / name).mkdir(parents=True)
                for picture in found:
                    (pictures / name / picture.name).write_bytes(picture.read_bytes())
        text = corpus.text[:4000] if name == "gpt" else "\n".join(corpus.documents[::13])
        page.write(page.Trained(run, params, state, trained.config, trained.vocabulary, step, text), folder / name)
        print(
            f"{name}: {step} steps, loss {sum(trained.losses[-20:]) / len(trained.losses[-20:]):.2f}", file=sys.stderr
        )


def prose() -> data.Corpus:
    """The sentences of README and docs, without code, tables and marks."""
    paragraphs = []
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
        for paragraph in text.split("\n\n"):
            words = " ".join(paragraph.split())
            if re.match(r"[A-Z]", words) and not re.search(r"[^A-Za-z0-9 .,:;'()\-]", words.replace("`", "")):
                paragraphs.append(words.replace("`", ""))
    return data.Corpus("docs", "\n".join(paragraphs))


if __name__ == "__main__":
    corpus = prose()
    print(graphc.__file__, len(corpus.text), len(set(corpus.text)))

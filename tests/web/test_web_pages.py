"""The pages of the five models in a real browser: they sample and train as Python does."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import random
from graphc.models import MODELS, data, page
from graphc.models.train import RunConfig, training_step
from graphc.web.export import HERE
from tests.support.browser import Page, browser, serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

TEXT = "\n".join(data.first_names()[:400])
PROSE = "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer\n" * 20


@dataclass(frozen=True)
class Case:
    """A model at a small size: what is trained, for how many steps, at which rate."""

    model: str
    steps: int
    rate: float
    text: str = TEXT
    settings: tuple[tuple[str, int], ...] = ()

    def trained(self) -> page.Trained:
        """The model after no step, as a run begins."""
        model = MODELS[self.model]
        corpus = data.Corpus("here", self.text)
        config, vocabulary = model.configure(corpus, **dict(self.settings))
        defaults = model.DEFAULTS
        size = {"bigram": 0, "microgpt": 1}.get(self.model, 8)
        run = RunConfig(self.model, None, 100, size, defaults.optimizer, self.rate, defaults.decay, 3)
        params = model.init(random.key(3), config)
        return page.Trained(run, params, run.make_optimizer().init(params), config, vocabulary, 5)

    def batches(self, trained: page.Trained) -> Any:
        """step -> (x, y)."""
        corpus = data.Corpus("here", self.text)
        return trained.model.batches(corpus, trained.config, trained.batch_size, trained.run.seed)

    def losses(self, trained: page.Trained, count: int) -> list[float]:
        """What Python makes of the first steps."""
        batches = self.batches(trained)
        optimizer = trained.run.make_optimizer(lambda step: np.float32(self.rate))
        step = graphc.compile(training_step(trained.model, trained.config, optimizer, trained.run.seed))
        params, state, found = trained.params, trained.state, []
        for number in range(trained.step, trained.step + count):
            params, state, loss = step(params, state, *batches(number))
            found.append(float(loss))
        return found


CASES = {
    "bigram": Case("bigram", 50, 10.0),
    "mlp": Case("mlp", 50, 0.1),
    "batchnorm_mlp": Case("batchnorm_mlp", 50, 0.1, settings=(("hidden", 50),)),
    "microgpt": Case("microgpt", 200, 0.01),
    "gpt": Case("gpt", 20, 0.003, PROSE, (("context", 16), ("width", 32), ("heads", 2), ("layers", 2))),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with browser() as found:
        yield found


def opened(running: Any, url: str) -> Page:
    """The page, ready."""
    found = Page(running)
    found.page.goto(url)
    found.page.wait_for_function("document.getElementById('status').textContent !== 'Loading…'")
    assert found.page.inner_text("#status") == "Ready."
    return found


def click(found: Page, name: str) -> None:
    """Click a button, and wait until the page is ready again."""
    found.page.get_by_role("button", name=name, exact=True).click()
    found.page.wait_for_function("document.getElementById('sample').disabled === false")
    assert found.page.inner_text("#status") == "Ready."


@pytest.mark.parametrize("name", CASES)
def test_a_page_samples_and_trains_as_python_does(name: str, running: Any, tmp_path: Path) -> None:
    case = CASES[name]
    trained = case.trained()
    page.write(trained, tmp_path / "page")
    prompt = "ma" if case.text is TEXT else "To"
    count, length = (3, 40) if trained.prose else (5, None)
    drawing = {"count": count, "prompt": tuple(trained.vocabulary.encode(prompt)), "length": length}
    with serving(tmp_path / "page") as url:
        found = opened(running, url)
        found.page.fill("#prompt", prompt)
        found.page.fill("#count", str(count))
        if length:
            found.page.fill("#length", str(length))
        for seed, temperature, top_k in ((7, "0.8", "5"), (2**33 + 1, "1.3", ""), (0, "0", "")):
            found.page.fill("#seed", str(seed))
            found.page.fill("#temperature", temperature)
            found.page.fill("#top-k", top_k)
            click(found, "Sample")
            want = trained.model.sample(
                trained.params,
                random.key(seed),
                trained.config,
                temperature=float(temperature),
                top_k=int(top_k) if top_k else None,
                **drawing,
            )
            assert found.page.text_content("#samples") == "\n".join(map(trained.vocabulary.decode, want))
        found.page.fill("#text", case.text)
        found.page.fill("#steps", str(case.steps))
        click(found, "Train")
        losses = json.loads(found.page.get_attribute("#loss", "data-losses"))
        np.testing.assert_allclose(losses, case.losses(trained, case.steps), atol=1e-3)
        assert found.page.inner_text("#loss") == f"{losses[-1]:.4f}"
    assert not found.errors


def test_weights_are_saved_loaded_and_gone_on_with(running: Any, tmp_path: Path) -> None:
    case = replace(CASES["microgpt"], steps=12)
    trained = case.trained()
    page.write(trained, tmp_path / "page")
    want = case.losses(trained, 12)
    with serving(tmp_path / "page") as url:
        found = opened(running, url)
        found.page.fill("#text", case.text)
        found.page.fill("#steps", "6")
        click(found, "Train")
        with found.page.expect_download() as download:
            click(found, "Save weights")
        file = tmp_path / "weights.safetensors"
        download.value.save_as(file)
        arrays = graphc.load(file)
        assert arrays["params.wte"].shape == trained.params["wte"].shape
        click(found, "Train")
        np.testing.assert_allclose(json.loads(found.page.get_attribute("#loss", "data-losses")), want, atol=1e-3)
        again = opened(running, url)
        again.page.set_input_files("#load", file)
        again.page.wait_for_function("document.getElementById('status').textContent === 'Ready.'")
        again.page.fill("#text", case.text)
        again.page.fill("#steps", "6")
        click(again, "Train")
        # The file says after which step it was saved: the page goes on as if it had never been closed.
        np.testing.assert_allclose(losses_of(again), want[6:], atol=1e-3)
        # A file of weights alone, as `graphc export` writes it: the optimizer's state stays.
        graphc.save(file, {"params": trained.params}, {"model": "microgpt", "step": 0})
        alone = opened(running, url)
        alone.page.set_input_files("#load", file)
        alone.page.wait_for_function("document.getElementById('status').textContent === 'Ready.'")
        alone.page.fill("#text", case.text)
        alone.page.fill("#steps", "6")
        click(alone, "Train")
        np.testing.assert_allclose(losses_of(alone), want[:6], atol=1e-3)
    assert not found.errors
    assert not again.errors
    assert not alone.errors


WATCH_DEVICES = """
const { requestDevice } = GPUAdapter.prototype;
globalThis.devices = [];
GPUAdapter.prototype.requestDevice = async function (...given) {
    const device = await requestDevice.apply(this, given);
    globalThis.devices.push(device);
    return device;
};
"""


def losses_of(found: Page) -> list[float]:
    """The losses that a page shows."""
    shown: list[float] = json.loads(found.page.get_attribute("#loss", "data-losses"))
    return shown


def test_a_device_that_is_lost_while_training_is_said_and_survived(running: Any, tmp_path: Path) -> None:
    """The page goes on from the weights after the last training, with the batches that follow those."""
    case = CASES["mlp"]
    trained = case.trained()
    page.write(trained, tmp_path / "page")
    with serving(tmp_path / "page") as url:
        found = Page(running)
        found.page.add_init_script(WATCH_DEVICES)
        found.page.goto(url)
        found.page.wait_for_function("document.getElementById('status').textContent === 'Ready.'")
        found.page.fill("#text", case.text)
        found.page.fill("#steps", "5")
        click(found, "Train")
        found.page.fill("#steps", "100000")
        found.page.get_by_role("button", name="Train", exact=True).click()
        found.page.wait_for_function("JSON.parse(document.getElementById('loss').dataset.losses).length > 8")
        found.page.evaluate("devices.at(-1).destroy()")
        found.page.wait_for_function("document.getElementById('status').textContent.includes('Try once more')")
        assert "device was lost" in found.page.inner_text("#status")
        kept = len(losses_of(found))
        found.page.wait_for_function("document.getElementById('sample').disabled === false")
        click(found, "Sample")
        assert found.page.text_content("#samples")
        found.page.fill("#steps", "5")
        click(found, "Train")
        after = losses_of(found)
    assert len(after) == kept + 5
    np.testing.assert_allclose(after, case.losses(trained, kept + 5), atol=1e-3)
    assert not found.errors


def test_training_pauses_goes_on_and_is_put_back(running: Any, tmp_path: Path) -> None:
    """By the button, and by Escape; the losses are those of a training without a pause."""
    case = CASES["mlp"]
    trained = case.trained()
    page.write(trained, tmp_path / "page")
    with serving(tmp_path / "page") as url:
        found = opened(running, url)
        found.page.fill("#text", case.text)
        found.page.fill("#steps", "100000")
        pauses: list[Callable[[], Any]] = [
            lambda: found.page.get_by_role("button", name="Pause", exact=True).click(),
            lambda: found.page.keyboard.press("Escape"),
        ]
        for pause in pauses:
            before = len(losses_of(found))
            found.page.get_by_role("button", name="Train", exact=True).click()
            found.page.wait_for_function(
                "n => JSON.parse(document.getElementById('loss').dataset.losses).length > n", arg=before
            )
            assert not found.page.is_enabled("#sample")
            pause()
            found.page.wait_for_function("document.getElementById('sample').disabled === false")
            assert found.page.inner_text("#train") == "Train"
            assert len(losses_of(found)) > before
        paused = losses_of(found)[:60]
        np.testing.assert_allclose(paused, case.losses(trained, len(paused)), atol=1e-3)
        click(found, "Reset")
        assert losses_of(found) == []
        found.page.fill("#steps", "3")
        click(found, "Train")
        np.testing.assert_allclose(losses_of(found), paused[:3], atol=1e-4)
    assert not found.errors


def test_a_page_is_used_by_the_keyboard_alone(running: Any, tmp_path: Path) -> None:
    """Every field has a name, Tab reaches all of them in their order, Enter samples, and the focus stays."""
    page.write(CASES["bigram"].trained(), tmp_path / "page")
    with serving(tmp_path / "page") as url:
        found = opened(running, url)
        reached = []
        for _ in range(16):
            found.page.keyboard.press("Tab")
            reached.append(found.page.evaluate("document.activeElement.id"))
        fields = ["prompt", "temperature", "top-k", "seed", "count", "sample", "samples", "text", "steps", "rate"]
        assert reached[:14] == [*fields, "train", "reset", "save", "load"]
        names = found.page.evaluate(
            "[...document.querySelectorAll('input, textarea')].map((e) => e.labels[0]?.textContent.trim())"
        )
        assert all(names)
        found.page.focus("#sample")
        found.page.keyboard.press("Enter")
        found.page.wait_for_function("document.getElementById('samples').textContent !== ''")
        found.page.wait_for_function("document.getElementById('status').textContent === 'Ready.'")
        assert found.page.evaluate("document.activeElement.id") == "sample"
        assert found.page.get_attribute("#status", "aria-live") == "polite"
    assert not found.errors


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("Object.defineProperty(navigator, 'gpu', {value: undefined})", "this browser has no WebGPU: a recent Chrome"),
        ("navigator.gpu.requestAdapter = async () => null", "WebGPU finds no adapter here"),
        (
            """Object.defineProperty(navigator, 'gpu', {value: undefined});
            Object.defineProperty(globalThis, 'isSecureContext', {value: false})""",
            "neither over https nor from localhost",
        ),
        (
            """const limits = {get: () => ({maxStorageBuffersPerShaderStage: 2})};
            Object.defineProperty(GPUAdapter.prototype, 'limits', limits)""",
            "needs maxStorageBuffersPerShaderStage",
        ),
    ],
)
def test_a_page_that_cannot_run_says_why(running: Any, tmp_path: Path, script: str, message: str) -> None:
    page.write(CASES["bigram"].trained(), tmp_path / "page")
    with serving(tmp_path / "page") as url:
        found = Page(running)
        found.page.add_init_script(script)
        found.page.goto(url)
        found.page.wait_for_function("document.getElementById('status').textContent !== 'Loading…'")
        assert message in found.page.inner_text("#status")
        assert not found.page.is_enabled("#sample")
    assert not found.errors


def test_wrong_input_is_said_and_survived(running: Any, tmp_path: Path) -> None:
    trained = CASES["mlp"].trained()
    page.write(trained, tmp_path / "page")
    with serving(tmp_path / "page") as url:
        found = opened(running, url)
        for field, value, message in (
            ("#temperature", "-1", "temperature"),
            ("#count", "0", "count"),
            ("#count", "1000", "at most 64"),
            ("#prompt", "ÄÖ", "not a character"),
            ("#seed", "", "seed"),
        ):
            before = found.page.input_value(field)
            found.page.fill(field, value)
            found.page.evaluate("document.getElementById('sampling').noValidate = true")
            found.page.get_by_role("button", name="Sample", exact=True).click()
            found.page.wait_for_function(
                "text => document.getElementById('status').textContent.includes(text)", arg=message
            )
            found.page.fill(field, before)
        click(found, "Sample")
    assert not found.errors


def test_sizes() -> None:
    runtime = b"".join((HERE / name).read_bytes() for name in ("runtime.js", "format.js"))
    assert len(gzip.compress(runtime)) <= 15 << 10


def test_the_page_of_microgpt_is_small(tmp_path: Path) -> None:
    page.write(CASES["microgpt"].trained(), tmp_path / "page")
    sizes = {p.name: p.stat().st_size for p in (tmp_path / "page").iterdir() if p.name != "arrays.safetensors"}
    assert sum(sizes.values()) <= 300_000, sizes

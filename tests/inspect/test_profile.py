"""The profiler: what it says agrees with the plan, and its files are what their readers expect."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TracePacket, TrackEvent

import graphc
from graphc import cli
from graphc.inspect.profile import Profile, timeline
from graphc.runtime.wgpu import timing
from graphc.runtime.wgpu.device import WgpuDevice
from graphc.runtime.wgpu.executor import PlanRunner


def model(params: dict[str, Any], x: Any) -> Any:
    h = np.tanh(x @ params["w"] + params["b"])
    return np.sum(h * h, axis=-1)


def arguments() -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=(64, 96)).astype(np.float32), "b": np.ones(96, np.float32)}
    return params, rng.normal(size=(128, 64)).astype(np.float32)


@pytest.fixture
def profile() -> Profile:
    args = arguments()
    return graphc.compile(graphc.grad(lambda p, x: np.sum(model(p, x)))).lower(*args).profile(*args, repeat=3)


def test_every_dispatch_is_timed_in_order(profile: Profile) -> None:
    args = arguments()
    plan = graphc.compile(graphc.grad(lambda p, x: np.sum(model(p, x)))).lower(*args).plan
    assert [t.kernel.name for t in profile.timings] == [plan.kernels[d.kernel].name for d in plan.dispatches]
    starts = [t.start for t in profile.timings]
    assert starts == sorted(starts)
    assert starts[0] == 0
    assert all(t.seconds >= 0 for t in profile.timings)
    assert profile.busy > 0
    assert profile.span >= max(starts)
    assert 0 < profile.submit <= profile.total


def test_the_table_names_kernels_and_lines(profile: Profile) -> None:
    text = profile.table()
    assert "test_profile.py" in text
    assert all(t.kernel.name in text for t in profile.timings)
    assert len(profile.table(limit=1).splitlines()) == len(profile.table(limit=0).splitlines()) + 1


def test_the_chrome_trace_holds_every_dispatch(profile: Profile, tmp_path: Path) -> None:
    events = json.loads(profile.to_chrome_trace(tmp_path / "trace.json").read_text())["traceEvents"]
    slices = [e for e in events if e["ph"] == "X"]
    assert [e["args"]["dispatch"] for e in slices] == list(range(len(profile.timings)))
    assert sum(e["dur"] for e in slices) == pytest.approx(profile.busy * 1e6)
    named = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert {named[e["tid"]] for e in slices} == {t.dispatch.phase for t in profile.timings}


def test_the_trace_keeps_to_the_chrome_format(profile: Profile, tmp_path: Path) -> None:
    """What a reader of the format may rely on: phases, numbers, and slices of one track that do not cross."""
    data = json.loads(profile.to_chrome_trace(tmp_path / "trace.json").read_text())
    assert isinstance(data["traceEvents"], list)
    assert data["displayTimeUnit"] in ("ms", "ns")
    ends: dict[tuple[int, int], float] = {}
    for event in data["traceEvents"]:
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            assert isinstance(event["args"]["name"], str)
            continue
        assert event["ph"] == "X"
        assert event["dur"] >= 0
        track = event["pid"], event["tid"]
        assert event["ts"] >= ends.get(track, 0.0) - 1e-3
        ends[track] = event["ts"] + event["dur"]


def test_the_command_prints_kernels_and_writes_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trace.json"
    assert cli.run(["profile", "bigram", "--repeat", "1", "--out", str(path)]) == 0
    printed = capsys.readouterr().out
    events = json.loads(path.read_text())["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    assert slices
    assert all(event["name"] in printed for event in slices)
    assert cli.run(["profile", "bigram", "--repeat", "1", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["dispatches"] == len(slices)
    assert 0 < summary["kernel_seconds"] <= summary["span_seconds"] * 1.001


def test_the_command_refuses_a_name_that_says_no_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["profile", "bigram", "--out", "trace.txt"]) == 2


def test_perfettos_own_reader_finds_every_dispatch(profile: Profile, tmp_path: Path) -> None:
    packets = read_perfetto(profile.to_perfetto(tmp_path / "trace.pftrace"))
    names = {p.track_descriptor.uuid: p.track_descriptor.name for p in packets if p.HasField("track_descriptor")}
    events = [p for p in packets if p.HasField("track_event")]
    begins, ends = events[::2], events[1::2]
    assert [p.track_event.name for p in begins] == [t.kernel.name for t in profile.timings]
    assert [names[p.track_event.track_uuid] for p in begins] == [t.dispatch.phase for t in profile.timings]
    assert all(p.track_event.type == TrackEvent.TYPE_SLICE_BEGIN for p in begins)
    assert all(p.track_event.type == TrackEvent.TYPE_SLICE_END for p in ends)
    lasted = sum(e.timestamp - b.timestamp for b, e in zip(begins, ends, strict=True))
    assert lasted == pytest.approx(profile.busy * 1e9, rel=1e-3, abs=len(begins))


def read_perfetto(path: Path) -> list[TracePacket]:
    trace = Trace()
    trace.ParseFromString(path.read_bytes())
    return list(trace.packet)


def test_without_the_package_perfetto_the_error_says_so(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "perfetto.trace_builder.proto_builder", None)
    with pytest.raises(graphc.DeviceError, match=r"pip install 'graphc\[perfetto\]'"):
        profile.to_perfetto(tmp_path / "trace.pftrace")


def test_the_page_is_whole_and_escapes_text(profile: Profile, tmp_path: Path) -> None:
    class Counter(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.bars = 0
            self.links: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.bars += dict(attrs).get("class") == "bar"
            self.links += [v for k, v in attrs if k in ("src", "href") and v]

    page = profile.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
    counter = Counter()
    counter.feed(page)
    assert counter.bars == len(profile.timings)
    assert counter.links == []
    hostile = Profile("<script>alert(1)</script>", "d", "none", 1, 1.0, 0.5, 0.0, ())
    assert "<script>" not in hostile.to_html(tmp_path / "hostile.html").read_text(encoding="utf-8")


def test_arrays_are_not_uploaded_by_the_calls_that_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    device = graphc.device("wgpu")
    compiled = graphc.compile(lambda state, x, y: (state + x * y, state), donate=(0,), device=device)
    arrays = [np.full((300, 300), n, np.float32) for n in (1, 2, 3)]
    state, x = (device.upload(a) for a in arrays[:2])
    executable = compiled.lower(state, x, arrays[2])
    written: list[int] = []
    write, call = WgpuDevice.write, PlanRunner.__call__

    def watched(self: WgpuDevice, memory: Any, offset: int, data: Any) -> None:
        written.append(data.nbytes)
        write(self, memory, offset, data)

    def timed(self: PlanRunner, arguments: Any) -> Any:
        written.clear()
        outputs = call(self, arguments)
        assert written == [arrays[2].nbytes]
        return outputs

    monkeypatch.setattr(WgpuDevice, "write", watched)
    monkeypatch.setattr(PlanRunner, "__call__", timed)
    assert executable.profile(state, x, arrays[2], repeat=2).total > 0
    assert np.asarray(state).tolist() == arrays[0].tolist()


def test_donated_arrays_stay_alive() -> None:
    x = graphc.asarray(np.arange(8, dtype=np.float32))
    compiled = graphc.compile(lambda x: x * 2, donate=(0,))
    compiled.lower(x).profile(x, repeat=2)
    assert np.array_equal(np.asarray(compiled(x)), np.arange(8) * 2)


@pytest.mark.parametrize("features", [("timestamp-query",), ()])
def test_devices_without_stamps_inside_passes(features: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    args = arguments()
    executable = graphc.compile(model).lower(*args)
    before = executable.profile(*args, repeat=1)
    kind = type(executable.device)
    monkeypatch.setattr(kind, "features", property(lambda self: frozenset(features)))
    found = executable.profile(*args, repeat=1)
    assert found.method == ("around passes" if features else "none")
    assert len(found.timings) == (len(before.timings) if features else 0)
    assert features or "no time stamps" in found.table()


def test_many_dispatches_use_several_query_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_BATCH", 3)

    def chain(x: Any) -> Any:
        for _ in range(8):
            x = x @ x * 0.1
        return x

    x = np.eye(16, dtype=np.float32)
    found = graphc.compile(chain, passes=()).lower(x).profile(x, repeat=1)
    assert len(found.timings) > 6
    assert found.timings[-1].start > 0


def test_the_numpy_device_times_the_call() -> None:
    x = np.ones((4, 4), np.float32)
    found = graphc.compile(lambda x: x + 1, device="numpy").lower(x).profile(x)
    assert found.method == "none"
    assert found.total > 0


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_a_timeline_of_medians_is_one_after_the_other(repeats: int, count: int, seed: int) -> None:
    """However the repeats differ: the median of one begin may lie before the median of the end before it."""
    generator = np.random.default_rng(seed)
    steps = generator.integers(0, 1000, (repeats, 2 * count)) * generator.choice([1, 50], (repeats, 2 * count))
    stamps = np.cumsum(steps, axis=1).reshape(repeats, count, 2).astype(np.float64)
    starts, seconds = timeline(stamps)
    assert np.all(starts[1:] >= (starts + seconds)[:-1] - 1e-12)
    np.testing.assert_allclose(seconds, np.median(stamps[:, :, 1] - stamps[:, :, 0], axis=0) / 1e9)
    if repeats == 1:
        np.testing.assert_allclose(starts, stamps[0, :, 0] / 1e9)

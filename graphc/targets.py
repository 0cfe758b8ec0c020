"""Targets by name: what to compile for where the adapter is of another kind, or not there at all.

`compile(fn, target="discrete")` makes the plan that a discrete GPU would run. On a device, the plan keeps that device's
limits and features, so that it runs there, slower or faster: `discrete` on a software adapter is how plans for GPUs are
tested. On the device "numpy", nothing of the machine counts: the plan is for a typical adapter of the class, and what
runs is the reference. Words behind the class change it: "discrete,no-subgroup,f16", "integrated,subgroup=16".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from graphc.errors import ArgumentError
from graphc.plan.plan import Target
from graphc.runtime import Device

_GPU: Final = frozenset({"subgroup", "shader-f16"})

TYPICAL: Final[dict[str, Target]] = {
    # NVIDIA's subgroups have 32 lanes, AMD's 32 or 64, Intel's 8 to 32, Apple's 32; all have f16. Limits are those that
    # graphc asks of every device, WebGPU's baseline.
    "discrete": Target("discrete", subgroup=32, features=_GPU),
    "integrated": Target("integrated", subgroup=32, integrated=True, features=_GPU),
    # Mesa's llvmpipe on a processor with vectors of 256 bits.
    "software": Target("software", subgroup=8, software=True, features=_GPU),
    # What every browser with WebGPU has, nothing known of the adapter.
    "baseline": Target("baseline"),
}
"""The classes of adapters, each as a typical one is."""

FEATURES: Final = {"subgroup": "subgroup", "f16": "shader-f16", "f64": "shader-f64", "int64": "shader-int64"}
"""The features that a word turns on, and off with "no-" before it."""

LANES: Final = (4, 8, 16, 32, 64, 128)


def check(text: str) -> None:
    """Raise ArgumentError where a text names no target."""
    _changed(TYPICAL["baseline"], text)


def target_of(wanted: Target | str | None, device: Device) -> Target:
    """The target that is compiled for: a Target as it is, a name as this module's text says, None for the device's own.

    Raises ArgumentError for a name that means none.
    """
    if wanted is None:
        return device.target
    if isinstance(wanted, Target):
        return wanted
    kind = _words(wanted)[0]
    if not device.needs_plan or kind == "baseline":
        return _changed(TYPICAL[kind], wanted)
    own, typical = device.target, TYPICAL[kind]
    found = _changed(replace(own, software=typical.software, integrated=typical.integrated), wanted)
    return own if found == replace(own, name=found.name) else found


def _words(text: str) -> list[str]:
    words = [word.strip().lower() for word in text.split(",")]
    if words[0] not in TYPICAL:
        raise ArgumentError(f"target {text!r}: {words[0]!r} is none of {', '.join(TYPICAL)}")
    return words


def _changed(target: Target, text: str) -> Target:
    """A target of this name, with what the words behind the class say."""
    kind, *words = _words(text)
    features, lanes = set(target.features), target.subgroup
    for word in words:
        name, equals, count = word.removeprefix("no-").partition("=")
        if name not in FEATURES or (equals and (word != f"subgroup={count}" or count not in map(str, LANES))):
            raise ArgumentError(
                f"target {text!r}: {word!r} is none of {', '.join(FEATURES)}, one of these behind no-, or subgroup=N "
                f"with N of {', '.join(map(str, LANES))}"
            )
        if word.startswith("no-"):
            features.discard(FEATURES[name])
        else:
            features.add(FEATURES[name])
        if name == "subgroup":
            typical = TYPICAL["integrated" if kind == "baseline" else kind].subgroup
            lanes = 0 if word.startswith("no-") else int(count) if equals else target.subgroup or typical
    return replace(target, name=",".join([kind, *words]), features=frozenset(features), subgroup=lanes)

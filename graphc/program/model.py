"""What a saved program is: functions with their plans, arguments and results by path, and arrays."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc import tree
from graphc.errors import GraphError
from graphc.ir.types import NDArray, Shape
from graphc.plan.plan import Dispatch, Plan, Target

Shaped = Mapping[str, Any] | str | None
"""A tree without its leaves, as JSON data: "*" for a leaf, None, or {"kind", "keys", "items"}.

A record has "name" too, and a dict "order": its keys as they stand in it, where `keys` are in the order of its leaves.
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A leaf of the arguments or results. name: as one would write it. donated: a call takes its buffer over.

    axis: where the argument holds indices, the length of the axis that they must lie in, else None.
    """

    name: str
    shape: Shape
    dtype: str
    donated: bool = False
    axis: int | None = None


@dataclass(frozen=True, slots=True)
class Requirements:
    """What an adapter must have: limits by their WebGPU names, features, and lanes of a subgroup (0: any).

    software: whether the adapter must be one without a GPU, because launches were saved at the cost of parallel work.
    """

    limits: Mapping[str, int]
    features: tuple[str, ...] = ()
    subgroup: int = 0
    software: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """One compiled function.

    parameters: names of its positional arguments. constants: the name of the array of each constant of the plan.
    """

    name: str
    parameters: tuple[str, ...]
    plan: Plan
    arguments: tuple[Parameter, ...]
    results: tuple[Parameter, ...]
    in_tree: Shaped
    out_tree: Shaped
    constants: tuple[str, ...]
    requires: Requirements


@dataclass(frozen=True, slots=True)
class Program:
    """Functions by name and the arrays that they need.

    state: first values of arguments, by name: trees whose leaves are names of arrays. about: whatever JSON can hold.
    variants: by the name of a function, others that take its place, the first one whose requirements an adapter meets.
    """

    functions: Mapping[str, Function]
    arrays: Mapping[str, NDArray]
    state: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, tuple[Function, ...]] = field(default_factory=dict)


def describe_tree(treedef: tree.TreeDef) -> Shaped:
    """A structure as JSON data. Raises GraphError for dict keys that are neither text nor whole numbers."""
    if treedef.kind == "leaf":
        return "*"
    if treedef.kind == "none":
        return None
    for key in treedef.keys:
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise GraphError(f"a saved program has text and whole numbers as keys, not {key!r}")
    kind = "record" if treedef.kind in ("namedtuple", "dataclass") else treedef.kind
    found = {"kind": kind, "keys": list(treedef.keys), "items": [describe_tree(child) for child in treedef.children]}
    if kind == "dict":
        return {**found, "order": list(treedef.order or treedef.keys)}
    return {**found, "name": treedef.node.__name__} if kind == "record" and treedef.node else found


def leaf_count(shaped: Shaped) -> int:
    """How many leaves a structure has."""
    if shaped is None or isinstance(shaped, str):
        return int(shaped is not None)
    return sum(map(leaf_count, shaped["items"]))


def leaf_names(shaped: Shaped, prefix: str = "") -> list[str]:
    """The path of each leaf, as one would write it: params["w"][0].x."""
    if shaped is None:
        return []
    if isinstance(shaped, str):
        return [prefix]
    steps = [f".{key}" if shaped["kind"] == "record" else f"[{_quoted(key)}]" for key in shaped["keys"]]
    return list(
        itertools.chain.from_iterable(
            leaf_names(item, prefix + step) for step, item in zip(steps, shaped["items"], strict=True)
        )
    )


def make_function(
    name: str,
    parameters: tuple[str, ...],
    plan: Plan,
    target: Target,
    trees: tuple[tree.TreeDef, tree.TreeDef],
    donated: frozenset[int],
    axes: Mapping[int, int],
    constants: tuple[str, ...],
) -> Function:
    """The function of a plan. trees: of ((args), {kwargs}) and of the results. axes: see Parameter, by argument."""
    given, made = map(describe_tree, trees)
    names = _argument_names(given, parameters)
    arguments = tuple(
        Parameter(leaf, plan.tensors[t].shape, plan.tensors[t].dtype, slot in donated, axes.get(slot))
        for slot, (leaf, t) in enumerate(zip(names, plan.inputs, strict=True))
    )
    results = tuple(
        Parameter(leaf, plan.tensors[t].shape, plan.tensors[t].dtype)
        for leaf, t in zip(leaf_names(made), plan.outputs, strict=True)
    )
    return Function(name, parameters, plan, arguments, results, given, made, constants, requirements(plan, target))


def _argument_names(given: Shaped, parameters: Sequence[str]) -> list[str]:
    """What one would call each leaf of ((args), {kwargs}): x, params["w"]."""
    assert isinstance(given, Mapping)
    args, kwargs = given["items"]
    named = [*zip(parameters, args["items"], strict=True), *zip(kwargs["keys"], kwargs["items"], strict=True)]
    return [leaf for name, shaped in named for leaf in leaf_names(shaped, name)]


def _quoted(key: str | int) -> str:
    return f'"{key}"' if isinstance(key, str) else str(key)


def requirements(plan: Plan, target: Target) -> Requirements:
    """What running a plan asks of an adapter. target: what it was made for."""
    launches = [d for dispatch in plan.dispatches for d in (dispatch, *dispatch.members)]
    windows = [b for dispatch in plan.dispatches for b in dispatch.bindings if b.access != "texture"]
    needs = {need for kernel in plan.kernels for need in kernel.needs}
    return Requirements(
        limits={
            "maxBufferSize": max((b.nbytes for b in plan.buffers), default=0),
            "maxStorageBufferBindingSize": max((b.nbytes for b in windows), default=0),
            "maxStorageBuffersPerShaderStage": _most(plan.dispatches, ("read", "read_write")),
            "maxUniformBuffersPerShaderStage": _most(plan.dispatches, ("uniform",)),
            "maxStorageTexturesPerShaderStage": _most(plan.dispatches, ("texture",)),
            "maxComputeWorkgroupsPerDimension": max((n for d in launches for n in d.workgroups), default=0),
            "maxComputeInvocationsPerWorkgroup": target.max_invocations,
            "maxComputeWorkgroupStorageSize": target.max_shared_bytes,
            "maxTextureDimension2D": max((n for t in plan.textures for n in (t.width, t.height)), default=0),
        },
        features=tuple(sorted(needs)),
        subgroup=target.subgroup if "subgroup" in needs else 0,
    )


def lacking(needs: Requirements, target: Target) -> str:
    """What an adapter lacks of what a plan asks for, in words; empty where it lacks nothing."""
    has = {
        "maxBufferSize": target.max_buffer_bytes,
        "maxStorageBufferBindingSize": target.max_binding_bytes,
        "maxStorageBuffersPerShaderStage": target.max_storage_buffers,
        "maxUniformBuffersPerShaderStage": target.max_uniform_buffers,
        "maxComputeWorkgroupsPerDimension": target.max_workgroups,
        "maxComputeInvocationsPerWorkgroup": target.max_invocations,
        "maxComputeWorkgroupStorageSize": target.max_shared_bytes,
        "maxTextureDimension2D": target.max_texture,
    }
    for name, limit in needs.limits.items():
        if limit > has.get(name, limit):
            return f"{name} {limit}, and there it is {has[name]}"
    for feature in needs.features:
        if feature not in target.features:
            return f"the feature {feature}"
    if needs.software and not target.software:
        return "a software adapter"
    if needs.subgroup and needs.subgroup != target.subgroup:
        return f"subgroups of {needs.subgroup} lanes, and there they have {target.subgroup}"
    return ""


def _most(dispatches: Sequence[Dispatch], access: tuple[str, ...]) -> int:
    return max((sum(b.access in access for b in d.bindings) for d in dispatches), default=0)

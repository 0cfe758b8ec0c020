"""compile: the only composer. trace -> passes -> lower -> runtime, once for each signature of the arguments."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, Generic, ParamSpec, SupportsIndex, TypeVar, overload

import numpy as np

from graphc import targets, tree
from graphc.errors import ArgumentError, GraphcError
from graphc.executable import Executable
from graphc.inspect.check import check_first_call
from graphc.inspect.subject import Argument
from graphc.ir.graph import Graph
from graphc.ir.structure import structure
from graphc.ir.types import settle_precision
from graphc.limit import Composed, parse_bytes, within
from graphc.passes import pipeline
from graphc.plan.plan import Target
from graphc.runtime import Device
from graphc.runtime import device as find_device
from graphc.runtime.forks import Lock
from graphc.signature import (
    LeafKey,
    Names,
    Parameters,
    Retrace,
    Signature,
    difference,
    is_python_scalar,
    leaf_key,
    retrace,
)
from graphc.tracing.aliases import given
from graphc.tracing.core import check_alive, current, is_tracer
from graphc.tracing.source import located
from graphc.tracing.trace import TracedFunction, trace_program

log: Final = logging.getLogger("graphc")

P = ParamSpec("P")
R = TypeVar("R")


@overload
def compile(
    fn: Callable[P, R],
    *,
    device: Device | str | None = ...,
    passes: Sequence[pipeline.GraphPass] = ...,
    donate: Names = ...,
    static: Names = ...,
    check: bool = ...,
    memory_limit: SupportsIndex | str | None = ...,
    target: Target | str | None = ...,
) -> Compiled[P, R]: ...


@overload
def compile(
    fn: None = None,
    *,
    device: Device | str | None = ...,
    passes: Sequence[pipeline.GraphPass] = ...,
    donate: Names = ...,
    static: Names = ...,
    check: bool = ...,
    memory_limit: SupportsIndex | str | None = ...,
    target: Target | str | None = ...,
) -> Callable[[Callable[P, R]], Compiled[P, R]]: ...


def compile(
    fn: Callable[..., Any] | None = None,
    *,
    device: Device | str | None = None,
    passes: Sequence[pipeline.GraphPass] = pipeline.DEFAULT,
    donate: Names = (),
    static: Names = (),
    check: bool = False,
    memory_limit: SupportsIndex | str | None = None,
    target: Target | str | None = None,
) -> Any:
    """A version of `fn` (plain NumPy over pytrees) that runs as one program on a device.

    It is traced and compiled at the first call for each signature: shapes and element types of the arguments, the
    types of Python scalars, and the values of static ones. Calls return at once with pytrees of `graphc.Array`.

    device: a Device or its name; None for the default. passes: graph passes in order; () compiles unfused.
    donate: arguments (positions or names) whose buffers the results may take over; their Arrays raise afterwards.
    static: arguments that are compiled in by value; they must be hashable. check: run the first call of each
    signature unfused and in NumPy too, and raise MiscompileError where they disagree. memory_limit: bytes, or a text
    such as "512MiB", that everything may take that is neither argument nor result. To hold it, values of the forward
    pass are computed again in the backward pass, as few operations as will do; MemoryLimitError, naming the tensors
    that stand in the way and the lowest limit that works, where nothing does. target: the class of adapters that the
    plan is made for instead of the device's own, "discrete", "integrated", "software" or "baseline", with words behind
    it such as "discrete,no-subgroup" (see `graphc.targets`). The plan keeps the limits and features of the device, and
    the rules of its class alone choose the kernels; where it needs what the device lacks, a call raises DeviceError.

    It also is a decorator, with options or without: `@graphc.compile`, `@graphc.compile(static="n")`.
    """
    if fn is None:
        return lambda fn: compile(
            fn,
            device=device,
            passes=passes,
            donate=donate,
            static=static,
            check=check,
            memory_limit=memory_limit,
            target=target,
        )
    if not callable(fn):
        raise ArgumentError(f"compile: needs a function, got a {type(fn).__name__}")
    if not isinstance(passes, Sequence) or isinstance(passes, str) or not all(map(callable, passes)):
        raise ArgumentError(
            f"compile: passes {passes!r}: need a sequence of passes, such as graphc.passes.DEFAULT or ()"
        )
    if not isinstance(check, bool | np.bool_):
        raise ArgumentError(f"compile: check {check!r:.40}: need True or False")
    if isinstance(device, str):
        device = find_device(device)
    if isinstance(target, str):
        targets.check(target)
    elif target is not None and not isinstance(target, Target):
        raise ArgumentError(f"compile: target {target!r}: need a name such as 'discrete', or a graphc.targets.Target")
    return Compiled(fn, device, tuple(passes), donate, static, check, parse_bytes(memory_limit), target)


class Compiled(Generic[P, R]):
    """A function compiled for each signature it is called with. Safe for threads. Made by `graphc.compile`."""

    __name__: str  # of the function, where that has one

    def __init__(
        self,
        fn: Callable[P, R],
        device: Device | None,
        passes: tuple[pipeline.GraphPass, ...],
        donate: Names,
        static: Names,
        check: bool,
        memory_limit: int | None,
        target: Target | str | None,
    ) -> None:
        functools.update_wrapper(self, fn)
        self._fn = fn
        self._device = device
        self._passes = passes
        self._check = check
        self._memory_limit = memory_limit
        self._target = target
        self._parameters = Parameters(fn, static, donate)
        self._name = getattr(fn, "__name__", type(fn).__name__)
        self._lock = Lock(reentrant=True)
        self._signatures: dict[Signature, Executable] = {}
        self._retraces: list[Retrace] = []  # which its Executables share: one for each signature
        # Signatures that differ from one of those in the order of keys alone, and whose program is the same.
        self._alike: dict[Signature, Executable] = {}

    def __copy__(self) -> Compiled[P, R]:
        return self

    def __deepcopy__(self, memo: Any) -> Compiled[P, R]:
        return self  # as functions are, wherever they stand in what is copied

    def __reduce__(self) -> str:
        return str(getattr(self, "__qualname__", self._name))  # by name, as functions are

    @property
    def signatures(self) -> Mapping[Signature, Executable]:
        """The Executable of each signature seen so far."""
        return MappingProxyType(self._signatures)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Run on the device. Inside another traced function, `fn` becomes a part of that program."""
        dynamic, static = self._parameters.split(args, kwargs)
        leaves, in_tree = tree.flatten(dynamic)
        tracers = [leaf for leaf in leaves if is_tracer(leaf)]
        if tracers or current() is not None:
            return self._inlined(dynamic, static, leaves, in_tree)
        return self._executable(dynamic, static, leaves, in_tree).run(leaves)

    def _inlined(self, dynamic: Any, static: Any, leaves: list[Any], in_tree: tree.TreeDef) -> Any:
        """The function as a part of the program that is being traced: it changes no argument here either."""
        handed = []
        for leaf, name in zip(leaves, self._parameters.leaf_names(dynamic), strict=True):
            if is_tracer(leaf):
                check_alive(leaf)
            handed.append(given(leaf, name) if is_tracer(leaf) else leaf)
        args, kwargs = tree.unflatten(in_tree, handed)
        return self._parameters.bind(static)(*args, **kwargs)

    def lower(self, *args: P.args, **kwargs: P.kwargs) -> Executable:
        """The Executable for these arguments, which may be specs; nothing is run."""
        dynamic, static = self._parameters.split(args, kwargs)
        leaves, in_tree = tree.flatten(dynamic)
        return self._executable(dynamic, static, leaves, in_tree)

    def _executable(self, dynamic: Any, static: Any, leaves: list[Any], in_tree: tree.TreeDef) -> Executable:
        device = find_device(self._device)
        signature = Signature(in_tree, self._keys(dynamic, leaves), static, device, in_tree.arrangement)
        found = self._signatures.get(signature) or self._alike.get(signature)
        if found is None:
            with self._lock:  # two threads with one signature compile it once
                found = self._signatures.get(signature) or self._alike.get(signature)
                if found is None:
                    found = self._compile(signature, dynamic, leaves)
        return found

    def _keys(self, dynamic: Any, leaves: list[Any]) -> tuple[LeafKey, ...]:
        """The key of each leaf; an error says which argument it is of, and where the call is."""
        try:
            return tuple(map(leaf_key, leaves))
        except GraphcError as error:
            for leaf, name in zip(leaves, self._parameters.leaf_names(dynamic), strict=True):
                try:
                    leaf_key(leaf, f"argument {name}")
                except GraphcError as named:
                    told = str(named)
                    text = told if told.startswith("argument ") else f"argument {name}: {told}"
                    raise located(type(named)(text)) from None
            raise error

    def _compile(self, signature: Signature, dynamic: Any, leaves: list[Any]) -> Executable:
        """All that happens between a Python function and its Executable."""
        signature.device.check_open()
        names = self._parameters.leaf_names(dynamic)
        again = self._retraced(signature, names)

        # Python function -> Graph
        args, kwargs = dynamic
        program = trace_program(self._parameters.bind(signature.static), args, kwargs)
        if (same := self._same_program(signature, program)) is not None:
            return same
        target = targets.target_of(self._target, signature.device)
        own = target == signature.device.target
        for value in program.graph.values() if own else ():
            signature.device.check_dtype(value.type)
        settle_precision(self._name)
        donated = self._parameters.donated_leaves(dynamic)

        # Graph -> Graph of kernels; with a limit also -> Plan, as often as it takes to keep to that
        # (this holds nothing that holds the Executable: a program that is dropped gives its memory back at once)
        compose = functools.partial(_composed, program.graph, self._passes, self._memory_limit, donated, target=target)
        made = compose()
        executable = Executable(
            name=self._name,
            device=signature.device,
            stages=made.stages,
            arguments=_arguments(names, program.graph, leaves),
            in_tree=signature.in_tree,
            out_tree=program.out_tree,
            donated=donated,
            static=MappingProxyType({s.name: s.value for s in signature.static}),
            planned=made.plan,
            parameters=self._parameters.positional(dynamic),
            passes=made.passes,
            first_call=check_first_call if self._check else None,
            compose=compose,
            wanted=None if own else target,
            retraces=self._retraces,
            said=program.said,
        )

        # Graph of kernels -> Plan; without a device that needs one, when somebody asks. The first call -> Runner
        if signature.device.needs_plan or self._target is not None:
            _ = executable.plan  # what cannot be lowered is said now, and leaves no signature behind
        self._signatures[signature] = executable
        self._retraces.append(again)
        return executable

    def _retraced(self, signature: Signature, names: Sequence[str]) -> Retrace:
        """Why the function is traced for this signature, which is logged."""
        again = retrace(signature, list(self._signatures), names)
        if self._signatures:
            log.info("%s: tracing again: %s", self._name, difference(again))
        else:
            log.debug("%s: tracing: %s", self._name, signature)
        return again

    def _same_program(self, signature: Signature, program: TracedFunction) -> Executable | None:
        """The Executable for dicts in another order, where the function does not depend on it; it is kept for these."""
        for other, executable in self._signatures.items():
            if replace(other, arrangement=signature.arrangement) == signature and _same(executable, program):
                self._alike[signature] = executable
                return executable
        return None

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """A compiled method is bound like a function (so `self` is an argument, and must be a pytree or static)."""
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"Compiled({self._name}, {len(self._signatures)} signatures)"


def _composed(
    graph: Graph,
    passes: tuple[pipeline.GraphPass, ...],
    limit: int | None,
    donated: frozenset[int],
    target: Target,
    trust: bool = True,
) -> Composed:
    passes = pipeline.informed(passes, target, donated, trust)
    made = Composed(pipeline.stages(graph, passes), passes)
    return made if limit is None else within(limit, made, target, donated)


def _arguments(names: Sequence[str], graph: Graph, leaves: Sequence[Any]) -> tuple[Argument, ...]:
    return tuple(
        Argument(name, value.type, is_python_scalar(leaf))
        for name, value, leaf in zip(names, graph.inputs, leaves, strict=True)
    )


def _same(executable: Executable, program: TracedFunction) -> bool:
    """Whether a program is the one that an Executable was made of, results and their order included."""
    if (executable.out_tree, executable.out_tree.arrangement) != (program.out_tree, program.out_tree.arrangement):
        return False
    return structure(executable.stages[0][1]) == structure(program.graph)

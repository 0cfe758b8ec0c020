"""Exporters of ops that move, place and order elements, of convolutions and loops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc.ir.graph import Node
from graphc.ir.scan import Scan
from graphc.onnx.errors import OnnxError
from graphc.onnx.exporters.arithmetic import widened
from graphc.onnx.writing import Writer, exporter, info
from graphc.ops.attention import attend, attend_backward
from graphc.ops.structured import NO_BOUND
from graphc.tracing.trace import spec, trace


@exporter("cumsum")
def running_sum(w: Writer, node: Node, x: str) -> str:
    """Along an axis."""
    axis = w.constant(np.asarray(node.attrs["axis"], np.int64))
    return widened(w, node, (x,), lambda n: w.add("CumSum", n, axis, reverse=int(node.attrs["reverse"])))


@exporter("argsort")
def order(w: Writer, node: Node, x: str) -> str:
    """The positions that TopK gives; NaN comes last, as the greatest of what grows."""
    count, descending = node.attrs["count"], int(node.attrs["descending"])
    kind = node.inputs[0].type.dtype.kind
    given = w.cast(x, np.int32 if kind == "bool" else np.int64) if kind in ("bool", "uint") else x
    _, ids = w.add("TopK", given, w.ints([count]), count=2, axis=-1, largest=descending, sorted=1)
    return w.cast(ids, node.out.type.dtype.numpy)


@exporter("reshape")
def reshape(w: Writer, node: Node, x: str) -> str:
    """Zeros are lengths."""
    return w.reshape(x, node.attrs["shape"])


@exporter("transpose")
def transpose(w: Writer, node: Node, x: str) -> str:
    """Axis i is axis perm[i]."""
    return str(w.add("Transpose", x, perm=list(node.attrs["perm"]))) if node.attrs["perm"] else x


@exporter("broadcast_to")
def broadcast_to(w: Writer, node: Node, x: str) -> str:
    """To the shape of the result."""
    return str(w.add("Expand", x, w.ints(node.out.type.shape)))


@exporter("slice")
def slices(w: Writer, node: Node, x: str) -> str:
    """Along every axis."""
    attrs = node.attrs
    if not attrs["start"]:
        return x
    axes = range(len(attrs["start"]))
    return str(w.add("Slice", x, *map(w.ints, (attrs["start"], attrs["stop"], tuple(axes), attrs["step"]))))


@exporter("flip")
def flip(w: Writer, node: Node, x: str) -> str:
    """Steps of -1."""
    axes = tuple(node.attrs["axes"])
    if not axes:
        return x
    ends = [np.iinfo(np.int64).min] * len(axes)
    return str(w.add("Slice", x, w.ints([-1] * len(axes)), w.ints(ends), w.ints(axes), w.ints([-1] * len(axes))))


def _spread(w: Writer, x: str, shape: list[int], interior: Sequence[int], value: str) -> str:
    """x with a value between its elements; `shape` becomes what it has then."""
    for axis, between in enumerate(interior):
        n = shape[axis]
        if not between or n < 2:
            continue
        split = [*shape[: axis + 1], 1, *shape[axis + 1 :]]
        pads = [0] * 2 * len(split)
        pads[len(split) + axis + 1] = between
        x = w.add("Pad", w.add("Reshape", x, w.ints(split)), w.ints(pads), value)
        shape[axis] = n * (between + 1)
        x = w.add("Reshape", x, w.ints(shape))
        x = w.add("Slice", x, w.ints([0]), w.ints([shape[axis] - between]), w.ints([axis]))
        shape[axis] -= between
    return x


@exporter("pad")
def pad(w: Writer, node: Node, x: str) -> str:
    """Before, after and between."""
    attrs, out = node.attrs, node.out
    if not attrs["low"]:
        return x
    inner = {"bool": np.uint8}.get(out.type.dtype.kind)
    value = w.constant(np.asarray(attrs["value"]).astype(inner or out.type.dtype.numpy))
    given = x if inner is None else w.cast(x, inner)
    given = _spread(w, given, list(node.inputs[0].type.shape), attrs["interior"], value)
    made = w.add("Pad", given, w.ints([*attrs["low"], *attrs["high"]]), value)
    return str(made) if inner is None else w.cast(made, np.bool_)


@exporter("concatenate")
def concatenate(w: Writer, node: Node, *parts: str) -> str:
    """One after another."""
    return str(w.add("Concat", *parts, axis=node.attrs["axis"]))


@exporter("tril", "triu")
def triangle(w: Writer, node: Node, x: str) -> str:
    """Of bool as of integers."""
    k = w.constant(np.asarray(node.attrs["k"], np.int64))
    boolean = node.out.type.dtype.kind == "bool"
    made = w.add("Trilu", w.cast(x, np.int32) if boolean else x, k, upper=int(node.op.name == "triu"))
    return w.cast(made, np.bool_) if boolean else str(made)


@exporter("iota")
def iota(w: Writer, node: Node) -> str:
    """One axis in the file, the others by Expand."""
    shape, axis = node.out.type.shape, node.attrs["axis"]
    line = np.arange(shape[axis]).astype(node.out.type.dtype.numpy)
    name = w.constant(line.reshape([-1 if k == axis else 1 for k in range(len(shape))]))
    return name if all(n == 1 for k, n in enumerate(shape) if k != axis) else str(w.add("Expand", name, w.ints(shape)))


def _signed_ids(w: Writer, node: Node, position: int, ids: str) -> str:
    """Indices of a type that operators take."""
    return w.cast(ids, np.int64) if node.inputs[position].type.dtype.kind == "uint" else ids


@exporter("take")
def take(w: Writer, node: Node, x: str, ids: str) -> str:
    """Along an axis."""
    return str(w.add("Gather", x, _signed_ids(w, node, 1, ids), axis=node.attrs["axis"]))


@exporter("take_along_axis")
def take_along_axis(w: Writer, node: Node, x: str, ids: str) -> str:
    """Both broadcast along the other axes first."""
    axis = node.attrs["axis"]
    shapes = [list(v.type.shape) for v in node.inputs]
    full = list(node.out.type.shape)
    names = []
    for name, shape in zip((x, _signed_ids(w, node, 1, ids)), shapes, strict=True):
        want = [shape[k] if k == axis else n for k, n in enumerate(full)]
        names.append(name if want == shape else w.add("Expand", name, w.ints(want)))
    return str(w.add("GatherElements", *names, axis=axis))


def _rows_first(w: Writer, name: str, ndim: int, axis: int, count: int) -> str:
    """`count` axes from `axis` on moved to the front."""
    perm = [*range(axis, axis + count), *range(axis), *range(axis + count, ndim)]
    return name if perm == list(range(ndim)) else str(w.add("Transpose", name, perm=perm))


def _rows_back(w: Writer, name: str, ndim: int, axis: int) -> str:
    """The first axis moved to `axis`."""
    perm = [*range(1, axis + 1), 0, *range(axis + 1, ndim)]
    return name if perm == list(range(ndim)) else str(w.add("Transpose", name, perm=perm))


def _scatter(w: Writer, node: Node, rows: str, size: int, ids: str, updates: str, how: str) -> str:
    """Updates of rows; what is out of range goes to a row more, which is left out again."""
    known = w.cast(ids, np.int64)
    n = w.constant(np.asarray(size, np.int64))
    zero = w.constant(np.asarray(0, np.int64))
    known = w.add("Where", w.add("Less", known, zero), w.add("Add", known, n), known)
    inside = w.add("And", w.add("GreaterOrEqual", known, zero), w.add("Less", known, n))
    known = w.add("Unsqueeze", w.add("Where", inside, known, n), w.ints([-1]))
    made = w.add("ScatterND", rows, known, updates, reduction=how)
    return str(w.add("Slice", made, w.ints([0]), w.ints([size]), w.ints([0])))


@exporter("scatter_add")
def scatter_add(w: Writer, node: Node, ids: str, updates: str) -> str:
    """Zeros to which rows are added."""
    axis, size = node.attrs["axis"], node.attrs["size"]
    ids_type, type = node.inputs[0].type, node.inputs[1].type
    rest = [*type.shape[:axis], *type.shape[axis + ids_type.ndim :]]
    zero = w.like(node.out, 0)
    rows = w.add("Expand", zero, w.ints([size + 1, *rest]))
    moved = _rows_first(w, updates, type.ndim, axis, ids_type.ndim)
    made = _scatter(w, node, rows, size, ids, moved, "add")
    return _rows_back(w, made, node.out.type.ndim, axis)


@exporter("index_update")
def index_update(w: Writer, node: Node, x: str, ids: str, values: str) -> str:
    """Rows that are written."""
    axis, type = node.attrs["axis"], node.out.type
    count = node.inputs[1].type.ndim
    rows = _rows_first(w, x, type.ndim, axis, 1)
    rows = w.add("Pad", rows, w.ints([0] * type.ndim + [1] + [0] * (type.ndim - 1)))
    moved = _rows_first(w, values, node.inputs[2].type.ndim, axis, count)
    made = _scatter(w, node, rows, type.shape[axis], ids, moved, "none")
    return _rows_back(w, made, type.ndim, axis)


@exporter("conv")
def conv(w: Writer, node: Node, x: str, weight: str) -> str:
    """Elements apart, and fewer than none around, by Pad."""
    attrs, shape = node.attrs, list(node.inputs[0].type.shape)
    if node.out.type.dtype.kind != "float":
        w.refuse("of integers")
    x = _spread(w, x, shape, (0, 0, *(n - 1 for n in attrs["spread"])), w.like(node.out, 0))
    around = attrs["padding"]
    if any(n < 0 for pair in around for n in pair):
        x = w.add("Pad", x, w.ints([0, 0, *(a for a, _ in around), 0, 0, *(b for _, b in around)]))
        around = tuple((0, 0) for _ in around)
    return str(
        w.add(
            "Conv",
            x,
            weight,
            strides=list(attrs["strides"]),
            dilations=list(attrs["dilation"]),
            pads=[*(a for a, _ in around), *(b for _, b in around)],
            group=attrs["groups"],
        )
    )


@exporter("attention", "attention_backward")
def attention(w: Writer, node: Node, *names: str) -> Sequence[str]:
    """The plain code that these ops stand for."""
    plain = attend if node.op.name == "attention" else attend_backward
    attrs = {name: value for name, value in node.attrs.items() if name != "kernel"}
    types = [spec(v.type.shape, v.type.dtype.numpy) for v in node.inputs]
    return w.inline(trace(lambda *arrays: plain(*arrays, **attrs), *types), names)


@exporter("scan")
def scan(w: Writer, node: Node, *names: str) -> Sequence[str]:
    """A loop: what every step sees is read from around it."""
    loop, body = Scan.of(node), node.attrs["body"]
    if loop.length == NO_BOUND:
        raise OnnxError("export: a while_loop has to know how many turns there are at most: give max_steps=...")
    own, given, rows = loop.operands(body.inputs), loop.operands(names), loop.results(body.outputs).ys
    inner = Writer(w.names, w)
    inner.name_of.update(zip(own.constants, given.constants, strict=True))
    inputs = []
    for what, values in (("carry", own.carries), ("slice", own.xs)):
        for value in values:
            inner.name_of[value] = w.names.new(what)
            inputs.append(info(inner.name_of[value], value))
    inner.write(body)
    outputs = inner.results(body, [*["carry"] * loop.carries, *["row"] * len(rows)])
    made = w.add(
        "Scan",
        *(*given.carries, *given.xs),
        count=len(node.outputs),
        body=inner.graph("step", inputs, outputs),
        num_scan_inputs=len(given.xs),
        scan_input_directions=[int(loop.reverse)] * len(given.xs),
        scan_output_directions=[int(loop.reverse)] * len(rows),
    )
    return [made] if isinstance(made, str) else list(made)

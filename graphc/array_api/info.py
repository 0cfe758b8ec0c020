"""What the namespace says of itself."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from graphc.ir.types import ALL_DTYPES, dtype_of, x64_enabled
from graphc.runtime import Device, default_device
from graphc.runtime import devices as all_devices
from graphc.tracing.core import current

_GROUPS: Final = {
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
    "bool": "b",
}


class Info:
    """`__array_namespace_info__`: devices and element types."""

    def capabilities(self) -> dict[str, Any]:
        """Shapes may depend on values except in a function that is being traced.

        x[mask] works on Arrays too, but x[mask] = y never does, and what asks means both.
        """
        return {"boolean indexing": False, "data-dependent shapes": current() is None, "max dimensions": 64}

    def default_device(self) -> Device:
        """Where arrays are made unless a device is named."""
        return default_device()

    def devices(self) -> list[Device]:
        """All devices."""
        return list(all_devices())

    def default_dtypes(self, *, device: Device | None = None) -> dict[str, np.dtype[Any]]:
        """The element types of Python's numbers; there is no complex one."""
        whole = dtype_of(np.int64).numpy
        return {"real floating": dtype_of(np.float64).numpy, "integral": whole, "indexing": whole}

    def dtypes(
        self, *, device: Device | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, np.dtype[Any]]:
        """The element types that arrays have, by name; float64 and int64 where x64 is enabled."""
        kinds = (kind,) if isinstance(kind, str) else kind or ("bool", "numeric")
        wanted = "".join(_GROUPS[k] for k in kinds)
        # float16 is none of the standard's.
        found = [d.numpy for d in ALL_DTYPES if d.numpy.itemsize != 2 and (x64_enabled() or d.numpy.itemsize < 8)]
        return {d.name: d for d in found if d.kind in wanted}

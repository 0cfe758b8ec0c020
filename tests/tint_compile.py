"""Compile WGSL with Tint, the compiler of Chrome: reads [[needs, wgsl], ...] as JSON, prints [error or null, ...]."""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Run on whatever adapter Dawn finds; features that it lacks are an error."""
    import wgpudawn

    adapter = wgpudawn.gpu.request_adapter_sync()
    device: Any = adapter.request_device_sync(required_features=["subgroups"])
    results: list[str | None] = []
    for needs, text in json.load(sys.stdin):
        try:
            device.create_shader_module(code=("enable subgroups;\n" if "subgroup" in needs else "") + text)
            results.append(None)
        except Exception as error:  # whatever Dawn raises is the finding
            results.append(f"{error}\n{text}")
    print(json.dumps(results))


if __name__ == "__main__":
    main()

"""The C types that are made ready are those that cffi finds by itself, and a first call parses hardly any others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cffi
import pytest
from wgpu.backends.wgpu_native._ffi import ffi

from graphc.runtime.wgpu.c_types import _texts, make_ready

FIRST_CALL = """
import cffi.cparser
parsed = []
parse = cffi.cparser.Parser.parse_type_and_quals
cffi.cparser.Parser.parse_type_and_quals = lambda self, text: (parsed.append(text), parse(self, text))[1]
import numpy as np, graphc
step = graphc.compile(lambda x, y: (np.tanh(x @ y), x + 1), device="wgpu", donate=(0,))
x = np.ones((512, 512), np.float32)
for array in step(*step(x, x)):
    np.asarray(array)
names = [text for text in parsed if text.startswith(("WGPU", "void", "u", "char"))]
print(len(names), max(map(len, names)))
"""


@pytest.mark.parametrize("text", [text for text, _ in _texts()])
def test_a_type_is_the_one_that_cffi_parses(text: str, device: object) -> None:
    make_ready(ffi)
    found, called = ffi._parsed_types[text]
    fresh = ffi._parser.parse_type(text)
    assert called == fresh.is_raw_function
    with ffi._lock:
        assert found is ffi._get_cached_btype(fresh.as_function_pointer() if called else fresh)


def test_a_first_call_parses_few_texts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == 0, done.stderr
    count, longest = map(int, done.stdout.split())
    assert longest > 1000  # that of all of them
    assert count <= 8


def test_a_binding_of_another_kind_is_left_as_it_is() -> None:
    make_ready(SimpleNamespace())
    other = cffi.FFI()
    make_ready(other)  # it knows none of wgpu-native's types
    assert not any("WGPU" in text for text in other._parsed_types)
    assert other.typeof("uint8_t *") is other.typeof("uint8_t *")

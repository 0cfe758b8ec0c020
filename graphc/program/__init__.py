"""Programs as files: what `Executable.save`, `graphc.load_program` and `graphc.web.export` write and read.

A program is a folder. `manifest.json` names the format, its version and the checksum of every other file;
`program.json` holds the functions (arguments, results, buffers, dispatches), `kernels.wgsl` (in pages `kernels.gzip`)
their kernels one after the other, `arrays.safetensors` constants and parameters. docs/program.md describes each field.
"""

from graphc.program.folder import load, save
from graphc.program.model import Function, Parameter, Program, Requirements, lacking, make_function, requirements
from graphc.program.run import LoadedProgram, load_program

__all__ = [
    "Function",
    "LoadedProgram",
    "Parameter",
    "Program",
    "Requirements",
    "lacking",
    "load",
    "load_program",
    "make_function",
    "requirements",
    "save",
]

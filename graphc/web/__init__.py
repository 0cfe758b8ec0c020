"""Into the browser: compiled functions as a static folder that runs in a page, without Python.

`runtime.js` runs the folder that `export` writes; `format.js` reads and checks its files. docs/web.md shows how.
"""

from graphc.web.export import TARGET, add_runtime, export, write_page

__all__ = ["TARGET", "add_runtime", "export", "write_page"]

"""scikit-learn's estimators and pandas' tables with Arrays: `pip install 'graphc[ecosystem]'` has both."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import graphc
from tests.support.adapters import ROOT

pytestmark = pytest.mark.slow

ESTIMATORS = """
import sys
import numpy as np
import sklearn
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.preprocessing import KernelCenterer, LabelEncoder

import graphc

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
y = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(np.int32)
calls = {
    "PCA": lambda x, y: PCA(2, svd_solver="full").fit_transform(x),
    "PCA, randomized": lambda x, y: PCA(
        2, svd_solver="randomized", power_iteration_normalizer="QR", random_state=0
    ).fit_transform(x),
    "KernelCenterer": lambda x, y: KernelCenterer().fit_transform(x @ x.T),
    "LabelEncoder": lambda x, y: LabelEncoder().fit_transform(y),
    "mean_squared_error": lambda x, y: metrics.mean_squared_error(x, x * 2),
    "accuracy_score": lambda x, y: metrics.accuracy_score(y, 1 - y),
}
for device in (graphc.device("wgpu"), graphc.device("numpy")):
    for name, call in calls.items():
        with sklearn.config_context(array_api_dispatch=True):
            made = call(graphc.asarray(X, device), graphc.asarray(y, device))
        want = call(X, y)
        if isinstance(want, np.ndarray):
            assert isinstance(made, graphc.Array) and made.device is device, name
        np.testing.assert_allclose(made, want, atol=2e-5, err_msg=name)
        print(name)
"""


def test_estimators_of_scikit_learn_run_on_arrays() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-c", ESTIMATORS], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n(pip install 'graphc[ecosystem]' installs what is needed)"
    assert len(done.stdout.splitlines()) == 12


def test_tables_of_pandas_convert_or_are_refused() -> None:
    import pandas

    frame: Any = pandas.DataFrame({"a": [1.0, 2], "b": [3.0, 4]})
    np.testing.assert_array_equal(graphc.asarray(frame, "numpy"), [[1, 3], [2, 4]])
    np.testing.assert_array_equal(graphc.asarray(frame["a"], "numpy"), [1, 2])
    double = graphc.compile(lambda x: x * 2, device="numpy")
    np.testing.assert_array_equal(double(frame["a"]), [2, 4])
    with pytest.raises(graphc.TraceError, match=r"write np\.asarray\(x\)"):
        double(frame)
    gaps = pandas.Series([1, None], dtype="Int64")  # NumPy gets NaN of it from pandas
    np.testing.assert_array_equal(graphc.asarray(gaps, "numpy"), [1, np.nan])
    words = [
        pandas.Series(["a", "b"]),
        pandas.Categorical(["a", "b"]),
        pandas.Series(pandas.to_datetime(["2020-01-01"])),
    ]
    for wrong in words:
        with pytest.raises(graphc.DTypeError):
            graphc.asarray(wrong, "numpy")
    for wrong in (gaps, *words):
        with pytest.raises(graphc.DTypeError):
            double(wrong)


@pytest.mark.parametrize("section", ["From SciPy", "In scikit-learn", "In PyTorch"])
def test_the_page_on_ones_own_program_runs(section: str) -> None:
    if section == "In PyTorch":
        pytest.importorskip("torch")
    page = (ROOT / "docs" / "own.md").read_text(encoding="utf-8")
    (program,) = re.findall(
        r"```python\n(.*?)```", page.partition(f"## {section}\n")[2].partition("\n## ")[0], re.DOTALL
    )
    exec(compile(program, f"own.md, {section}", "exec"), {})

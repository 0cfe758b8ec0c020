"""`python -m tests.fuzz`: run many random programs, and keep what is wrong with them, each thing once.

Programs run in a process of their own, so that one that crashes or hangs is a finding like any other. Program K of seed
S is the same on every machine; `--program S/K` runs it again and prints it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support import adapters

PER_PROCESS: Final = 400
"""Programs after which a process is replaced, so that what it keeps stays little."""
HANGS: Final = 600.0
"""Seconds after which a program that has not ended is taken to hang."""
MEMORY: Final = 6 << 30
SHRUNK: Final = 12
"""Findings of one symptom that are made smaller; the rest are counted."""
SECONDS: Final = 40.0
"""Seconds spent on making one finding smaller."""


def main(arguments: list[str]) -> int:
    """Exit status: 0 where nothing was found, 1 where something was."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="programs to run")
    parser.add_argument("--seed", default="0", help="any text")
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument(
        "--driver", choices=[*adapters.DRIVERS, "own"], default="lavapipe", help="own: this machine's default"
    )
    parser.add_argument("--minutes", type=float, default=1e9, help="end after so long, whatever the count")
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"), help="folder for what is found")
    parser.add_argument("--program", help="SEED/NUMBER of one program: print it, and what is wrong with it")
    parser.add_argument("--target", default="", help="compile for this alone, such as discrete,no-subgroup")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--shrink", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        return _work(options)
    environment = _environment(options.driver)
    if options.program:
        command = _command("--program", options.program, "--target", options.target)
        return subprocess.run(command, env=environment, cwd=adapters.ROOT, check=False).returncode
    return Campaign(options, environment).run()


def _environment(driver: str) -> dict[str, str]:
    environment = {**os.environ, "LP_NUM_THREADS": "1", "GRAPHC_TUNE": "off"}
    environment.pop("GRAPHC_DEVICE", None)
    environment["MESA_SHADER_CACHE_DISABLE"] = "true"  # no program comes twice
    environment.setdefault("GRAPHC_TUNE_CACHE", os.path.join(tempfile.gettempdir(), "graphc-fuzz-tuned.json"))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment.setdefault(name, "1")
    if driver != "own":
        environment |= adapters.environment(driver)
    return environment


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz", "--worker", *arguments]


@dataclass
class Campaign:
    """Starts processes, collects what they find."""

    options: argparse.Namespace
    environment: dict[str, str]
    symptoms: Counter[str] = field(default_factory=Counter)
    kept: dict[str, Path] = field(default_factory=dict)
    done: int = 0
    elements: int = 0
    decided: int = 0

    def run(self) -> int:
        """All programs; then a summary."""
        started, position = time.monotonic(), self.options.first
        end = started + 60 * self.options.minutes
        last = self.options.first + self.options.count
        while position < last and time.monotonic() < end:
            position = self._process(position, min(last, position + PER_PROCESS), end)
        seconds = time.monotonic() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(
            f"{self.done} programs in {seconds:.0f} s ({self.done / max(used.ru_utime + used.ru_stime, 1e-9):.1f} a "
            f"second of processor time) on "
            f"{self.options.driver}; {100 * self.decided / max(1, self.elements):.1f}% of results decided; next: "
            f"--seed {self.options.seed} --first {position}"
        )
        for symptom, times in self.symptoms.most_common():
            print(f"{times:6d}  {symptom}")
        for name, path in self.kept.items():
            print(f"        {name}: {path}")
        return 1 if self.symptoms else 0

    def _process(self, first: int, last: int, end: float) -> int:
        """Run programs in one process until it ends or dies; the next program."""
        command = _command(
            *("--seed", self.options.seed, "--first", str(first), "--count", str(last - first)),
            *("--target", self.options.target),
        )
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                command, env=self.environment, cwd=adapters.ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
            )
            current = first
            for record in _records(process, end):
                if "start" in record:
                    current = record["start"]
                    continue
                current = record["done"] + 1
                self.done += 1
                self.elements += record["elements"]
                self.decided += record["decided"]
                for symptom, detail in record["findings"]:
                    self._found(symptom, detail, record["done"])
            hung = process.poll() is None
            if hung:
                process.kill()
            process.wait()
            if time.monotonic() >= end or (process.returncode == 0 and not hung):
                return current
            errors.seek(0)
            what = "hang" if hung else f"crash: exit status {process.returncode}"
            self._found(what, errors.read()[-3000:], current)
            return current + 1

    def _found(self, symptom: str, detail: str, number: int) -> None:
        self.symptoms[symptom] += 1
        if self.symptoms[symptom] > SHRUNK:
            return
        name = f"{self.options.seed}/{number}"
        command = _command("--program", name, "--shrink", symptom, "--target", self.options.target)
        try:
            done = subprocess.run(
                command,
                env=self.environment,
                cwd=adapters.ROOT,
                capture_output=True,
                text=True,
                timeout=4 * SECONDS,
                check=False,
            )
            small = json.loads(done.stdout) if done.returncode == 0 else {}
        except (subprocess.TimeoutExpired, ValueError):
            small = {}
        key = f"{symptom} [{', '.join(small.get('kinds', [name]))}]"
        if key in self.kept:
            return
        self.options.out.mkdir(parents=True, exist_ok=True)
        slug = re.sub(r"[^a-z0-9]+", "-", key.lower())[:60].strip("-")
        path = self.options.out / f"{len(self.kept):03d}-{slug}.py"
        told = f"{symptom} on {self.options.driver}, program {name}\n{small.get('detail', detail)}"
        path.write_text(small.get("script") or "".join(f"# {line}\n" for line in told.splitlines()))
        self.kept[key] = path
        print(f"{name}: {key}: {path}", file=sys.stderr)


def _records(process: subprocess.Popen[str], end: float) -> Iterator[dict[str, Any]]:
    """What a process says, line by line, until it ends, hangs, or the time is over."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, min(HANGS, end - time.monotonic()))):
            line = process.stdout.readline()
            if not line:
                process.wait()
                return
            yield json.loads(line)


def _work(options: argparse.Namespace) -> int:
    """In the process that runs programs: a line of JSON for each, before and after; or one program."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    from tests.fuzz import worker

    if options.shrink:
        print(json.dumps(worker.shrunk(options.program, options.shrink, seconds=SECONDS, target=options.target)))
        return 0
    if options.program:
        return worker.show(options.program, options.target)
    for number in range(options.first, options.first + options.count):
        print(json.dumps({"start": number}), flush=True)
        print(json.dumps({"done": number, **worker.result(f"{options.seed}/{number}", options.target)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

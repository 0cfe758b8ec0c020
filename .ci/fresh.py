"""Try the repository where nothing is installed: a Debian that holds Python, git and make, and no more.

    make fresh [FRESH="--opengl ..."]        or  python3 .ci/fresh.py --help

A minimal root is made by debootstrap from this system's package source and kept in the user's cache. In a copy of it
the last commit is cloned, `make demo` and `make test` run, the tests without a network, and what took how long is
printed. Settings of apt and pip (proxies, package sources, certificates) are those of this machine. Mounts live in a
namespace of their own and end with it. Needs root, for chroot.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "graphc", "fresh")
OPENGL: Final = ("libegl1", "libgl1-mesa-dri", "libgles2")
"""Mesa's OpenGL, which many images hold; they bring no Vulkan driver."""
DAYS: Final = 7
"""A base that is older is made anew."""
PASSED_ON: Final = re.compile(r"PIP_\w+|(?i:https?|ftp|no|all)_(?i:proxy)|SSL_CERT_FILE|REQUESTS_CA_BUNDLE")
LOOPBACK_UP: Final = (
    "import fcntl, socket, struct; "
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14s', b'lo', 1, b''))"  # SIOCSIFFLAGS, IFF_UP
)
BESIDE: Final = "import graphc; print(graphc.compile(lambda x: x + 1, device='numpy')(1.0))"
"""A script that lies beside the clone, a folder called graphc, and means the package."""


@dataclass(frozen=True)
class Form:
    """What is tried. python: a Debian package that is its own command. versions: "locked" or "newest"."""

    suite: str
    python: str
    versions: str
    opengl: bool
    settings: Sequence[str] = ()

    def __str__(self) -> str:
        drivers = "Mesa's OpenGL and no Vulkan driver" if self.opengl else "no graphics driver"
        return ", ".join([f"{self.suite}, {self.python}, {self.versions} versions, {drivers}", *self.settings])


@dataclass(frozen=True)
class Step:
    """A command in the root. offline: without a network but the loopback."""

    name: str
    command: str
    offline: bool = False


@dataclass
class Host:
    """What of this machine's settings a root is given. paths: files and folders that the settings name."""

    source: str
    apt: str
    pip: str
    environment: dict[str, str]
    paths: set[Path] = field(default_factory=set)

    @staticmethod
    def here() -> Host:
        """As this machine is set up."""
        host = Host(_source(), "", "", {k: v for k, v in os.environ.items() if PASSED_ON.fullmatch(k)})
        for line in _output("apt-config", "dump", "Acquire").splitlines():
            if re.match(r"Acquire::(http|https|ftp|Check-|Retries|Proxy)", line):
                host.apt += line + "\n"
        with contextlib.suppress(subprocess.CalledProcessError):  # a Python without pip has no settings of pip
            for line in _output(sys.executable, "-m", "pip", "config", "list").splitlines():
                name, _, value = line.partition("=")
                if name.startswith("global."):
                    host.pip += f"{name.removeprefix('global.')} = {ast.literal_eval(value)}\n"
        words = " ".join([host.apt, host.pip, *host.environment.values()]).replace("file://", "").split()
        host.paths = {Path(w.strip('";')) for w in words if w.strip('";').startswith("/")}
        host.paths = {p.parent if p.name == "simple" else p for p in host.paths}  # an index links to files beside it
        host.paths.add(Path("/etc/ssl/certs/ca-certificates.crt"))
        host.paths = {p for p in host.paths if p.exists()}
        return host


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _source() -> str:
    """The address that this system's own packages come from."""
    lines = _output("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)").splitlines()
    found = {line.split()[0] for line in lines if line.split()[1:] == [_codename(), "main"]}
    if not found:
        raise SystemExit("fresh: apt knows no source of this system's packages: run 'apt-get update'")
    return min(found)


def _codename() -> str:
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)
    return found[1] if found else "sid"


def base(form: Form, host: Host, log: Path, renew: bool) -> Path:
    """The folder of the minimal root for a suite and a Python; it is made where there is none or an old one."""
    folder = CACHE / f"{form.suite}-{form.python}"
    if folder.is_dir() and not renew and time.time() - folder.stat().st_mtime < 86400 * DAYS:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    made = folder.with_suffix(".new")
    shutil.rmtree(made, ignore_errors=True)
    script = Path("/usr/share/debootstrap/scripts", form.suite)
    packages = f"--include=ca-certificates,git,make,{form.python}"
    command = ["debootstrap", "--variant=minbase", packages, form.suite, str(made), host.source]
    if not script.exists():
        command.append(str(script.with_name("sid")))
    with log.open("ab") as file:
        subprocess.run(command, check=True, stdout=file, stderr=subprocess.STDOUT)
    os.utime(made)
    made.rename(folder)
    return folder


def prepare(root: Path, form: Form, host: Host) -> None:
    """Give a root the settings of this machine, and the last commit as a bundle."""
    (root / "etc/apt/sources.list").write_text(f"deb {host.source} {form.suite} main\n", encoding="utf-8")
    (root / "etc/apt/apt.conf.d/90host").write_text(host.apt, encoding="utf-8")
    (root / "etc/pip.conf").write_text(f"[global]\n{host.pip}", encoding="utf-8")
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(f"/etc/{name}", root / "etc" / name)
    for path in host.paths:
        inside = root / path.relative_to("/")
        if path.is_dir():
            inside.mkdir(parents=True, exist_ok=True)
        else:
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.touch()
    (root / "root/beside.py").write_text(BESIDE, encoding="utf-8")
    subprocess.run(
        ["git", "-C", str(REPOSITORY), "bundle", "create", "--quiet", str(root / "root/graphc.bundle"), "HEAD"],
        check=True,
    )


def mounts(root: Path, form: Form, host: Host, offline: bool) -> list[str]:
    """Shell commands that make a root a running system, in a namespace of mounts of their own."""
    at = shlex.quote(str(root))
    lines = [
        f"mount -t proc proc {at}/proc",
        f"mount --rbind /sys {at}/sys",
        f"mount -t tmpfs -o mode=755 dev {at}/dev",
        f"mkdir -p {at}/dev/pts {at}/dev/shm",
        f"mount -t devpts -o newinstance,ptmxmode=0666 devpts {at}/dev/pts",
        f"mount -t tmpfs -o mode=1777 shm {at}/dev/shm",
        f"ln -s pts/ptmx {at}/dev/ptmx",
        f"ln -s /proc/self/fd {at}/dev/fd",
        *(f"ln -s /proc/self/fd/{n} {at}/dev/{name}" for n, name in enumerate(("stdin", "stdout", "stderr"))),
    ]
    devices = ("null", "zero", "full", "random", "urandom", "tty")
    lines += [f"touch {at}/dev/{name}; mount --bind /dev/{name} {at}/dev/{name}" for name in devices]
    lines += [f"mount --bind {shlex.quote(str(p))} {at}{shlex.quote(str(p))}" for p in sorted(host.paths)]
    for kept, inside in ((CACHE / "pip", "root/.cache/pip"), (CACHE / f"debs-{form.suite}", "var/cache/apt/archives")):
        kept.mkdir(parents=True, exist_ok=True)
        (root / inside).mkdir(parents=True, exist_ok=True)
        lines.append(f"mount --bind {shlex.quote(str(kept))} {at}/{inside}")
    if offline:
        lines.append(shlex.join([sys.executable, "-c", LOOPBACK_UP]))
    return lines


def run(root: Path, form: Form, host: Host, step: Step, log: Path) -> tuple[bool, float]:
    """Whether a step succeeded in the root, and its seconds; what it prints goes to the end of the log."""
    variables = {
        **host.environment,
        **dict(setting.split("=", 1) for setting in form.settings),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    inside = ["env", "-i", *(f"{k}={v}" for k, v in variables.items()), "sh", "-c", f"cd /root; {step.command}"]
    script = "\n".join([*mounts(root, form, host, step.offline), f"exec chroot {shlex.join([str(root), *inside])}"])
    apart = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    apart += ["--net"] if step.offline else []
    begin = time.monotonic()
    with log.open("ab") as file:
        file.write(f"\n==== {step.name}: {step.command}\n".encode())
        file.flush()
        done = subprocess.run([*apart, "sh", "-euc", script], stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    return done.returncode == 0, time.monotonic() - begin


def steps(form: Form, only: Sequence[str]) -> Iterator[Step]:
    """What is tried, in order. only: targets of make instead of `test`."""
    make = f"make -C graphc PYTHON={form.python} VERSIONS={form.versions}"
    if form.opengl:
        packages = " ".join(OPENGL)
        yield Step("opengl", f"apt-get update -qq && apt-get install -qq --no-install-recommends {packages}")
    yield Step("clone", "git -c advice.detachedHead=false clone --quiet graphc.bundle graphc")
    yield Step("demo", f"{make} demo")
    yield Step("beside", "graphc/.venv/bin/python beside.py")
    yield Step("set-up", f"{make} setup")
    yield Step("test", f"{make} {' '.join(only) or 'test'}", offline=True)


def tried(form: Form, only: Sequence[str], renew: bool, keep: bool) -> bool:
    """Try one form and print what came of it; whether all of it succeeded."""
    head = _output("git", "-C", str(REPOSITORY), "log", "-1", "--format=%h %s").strip()
    if _output("git", "-C", str(REPOSITORY), "status", "--porcelain").strip():
        print("fresh: there are changes that are not committed: they are not tried", file=sys.stderr)
    CACHE.mkdir(parents=True, exist_ok=True)
    log = CACHE / f"{time.strftime('%Y%m%d-%H%M%S')}-{form.suite}-{form.python}.log"
    print(f"fresh: {form}\n       {head}\n       log: {log}", flush=True)
    host = Host.here()
    begin = time.monotonic()
    found = base(form, host, log, renew)
    _say("base", time.monotonic() - begin, str(found))
    root = CACHE / f"root-{os.getpid()}"
    try:
        subprocess.run(["cp", "--archive", "--reflink=auto", str(found), str(root)], check=True)
        prepare(root, form, host)
        for step in steps(form, only):
            good, seconds = run(root, form, host, step, log)
            _say(step.name, seconds, _outcome(log) if good else "FAILED")
            if not good:
                print("\n".join(line[:200] for line in log.read_text("utf-8", "replace").splitlines()[-40:]))
                return False
        return True
    finally:
        if not keep:
            shutil.rmtree(root)


def _say(name: str, seconds: float, outcome: str) -> None:
    print(f"       {name:8s} {seconds:7.1f} s  {outcome}", flush=True)


def _outcome(log: Path) -> str:
    """The line of the last step that says most: what pytest counted, or how the adapter was announced."""
    text = log.read_text("utf-8", "replace").rpartition("\n==== ")[2]
    lines = re.findall(r"^=* ?(\d+ passed.*?) ?=*$|^(graphc: running on .*)$", text, re.MULTILINE)
    return next((" ".join(filter(None, line)) for line in reversed(lines)), "done")


def main() -> int:
    """Parse the command line, try the form; 0 where all succeeded."""
    parser = argparse.ArgumentParser(prog="fresh", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--opengl", action="store_true", help="with Mesa's OpenGL libraries, and no Vulkan driver")
    parser.add_argument("--suite", default=_codename(), help="the release of Debian (%(default)s)")
    parser.add_argument("--python", default="python3", help="its package of Python: python3, python3.15, ...")
    parser.add_argument("--versions", choices=("locked", "newest"), default="locked", help="of the dependencies")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable for all steps")
    parser.add_argument("--only", nargs="+", default=[], metavar="TARGET", help="targets of make instead of 'test'")
    parser.add_argument("--renew", action="store_true", help="make the minimal root anew")
    parser.add_argument("--keep", action="store_true", help="leave the root where it is, for a look")
    given = parser.parse_args()
    if os.geteuid() != 0:
        print(f"fresh needs root, for chroot. Please run: sudo {shlex.join(['make', 'fresh'])}", file=sys.stderr)
        return 1
    for command, package in (("debootstrap", "debootstrap"), ("unshare", "util-linux")):
        if shutil.which(command) is None:
            subprocess.run(["sh", str(REPOSITORY / ".ci/apt"), package], check=True)
    form = Form(given.suite, given.python, given.versions, given.opengl, given.set)
    return 0 if tried(form, given.only, given.renew, given.keep) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Runs vmscan and the target programs for the tests.

Environment: VMSCAN (the program), VMSCAN_SOURCE (the source tree), VMSCAN_PROGRAMS (the built tests/programs),
VMSCAN_TEST_PRIVILEGED=1 (root may change the machine: swap, hugetlb pool, KSM; everything is put back).
Every document that comes back was checked against its JSON Schema (where jsonschema is installed) and the laws.
"""

import contextlib
import errno
import functools
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from dataclasses import dataclass, field

import laws

try:
    import jsonschema
except ImportError:
    jsonschema = None

SOURCE = pathlib.Path(os.environ.get("VMSCAN_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
PROGRAM = os.environ.get("VMSCAN", str(SOURCE / "build" / "vmscan"))
PROGRAMS = pathlib.Path(os.environ.get("VMSCAN_PROGRAMS", SOURCE / "build" / "tests" / "programs"))
PAGE = os.sysconf("SC_PAGESIZE")
TIMEOUT_S = 120
EXIT_SKIPPED = 77


class Failed(Exception):
    """vmscan ended with an exit code other than 0."""

    def __init__(self, arguments, code, message):
        super().__init__(f"vmscan {' '.join(arguments)}: exit code {code}: {message.strip()}")
        self.code = code
        self.message = message


def run(*arguments, prefix=()):
    """Runs vmscan and returns the finished process with stdout as bytes and stderr as text."""
    done = subprocess.run(
        [*prefix, PROGRAM, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    done.stderr = done.stderr.decode("utf-8", "replace")
    return done


@functools.cache
def _schemas():
    directory = SOURCE / "formats" / "schema"
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.schema.json"))]


def _schema_of(document):
    for schema in _schemas():
        named = schema.get("properties", {}).get("schema", {})
        if document["schema"] in (named.get("const"), *named.get("enum", ())):
            return schema
    return None


def validate(document):
    """AssertionError unless the document keeps to its JSON Schema and to the laws."""
    if jsonschema and _schemas():
        schema = _schema_of(document)
        assert schema, f"no JSON Schema in formats/schema for {document['schema']}"
        errors = list(jsonschema.validators.validator_for(schema)(schema).iter_errors(document))
        assert not errors, "\n".join(f"{list(error.absolute_path)}: {error.message}" for error in errors[:10])
    broken = laws.broken_laws(document)
    assert not broken, f"{document['schema']} breaks {len(broken)} laws:\n" + "\n".join(broken[:20])
    return document


def _no_twice(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a JSON object has a key twice: {keys}"
    return dict(pairs)


def document(*arguments, prefix=()):
    """Runs vmscan and returns its one JSON document, checked. Failed when the exit code is not 0."""
    done = run(*arguments, prefix=prefix)
    if done.returncode != 0:
        raise Failed([str(argument) for argument in arguments], done.returncode, done.stderr)
    return validate(json.loads(done.stdout.decode("utf-8"), object_pairs_hook=_no_twice))


def summary(pid, *options, prefix=()):
    return document("summary", "--json", *options, pid, prefix=prefix)


def details(pid, *options, prefix=()):
    return document("details", "--json", *options, pid, prefix=prefix)


def snapshot(pid, *options, prefix=()):
    return document("snapshot", *options, pid, prefix=prefix)


# ---- reading documents ------------------------------------------------------------------------------------------


def row(summary_document, kind):
    """The row of a type; all zero when a type has no row."""
    for candidate in summary_document["rows"]:
        if candidate["type"] == kind:
            return candidate
    return {"type": kind, "size": 0, "regions": 0, "blocks": 0, "largest": 0, **dict.fromkeys(laws.USAGE, 0)}


def region_at(document_, address):
    """The region that holds the address; AssertionError when none does."""
    for region in document_["regions"]:
        if laws.address(region) is None:
            continue
        begin, end = laws.span(region)
        if begin <= address < end:
            return region
    raise AssertionError(f"no region holds {address:#x}")


def block_at(document_, address):
    for block in region_at(document_, address)["blocks"]:
        begin, end = laws.span(block)
        if begin <= address < end:
            return block
    raise AssertionError(f"no block holds {address:#x}")


def blocks_in(document_, begin, end):
    """The blocks that make up [begin, end); AssertionError when one of them reaches out of it or some are missing."""
    found = []
    at = begin
    while at < end:
        block = block_at(document_, at)
        low, high = laws.span(block)
        assert low == at and high <= end, f"block {low:#x}-{high:#x} crosses {begin:#x}-{end:#x}"
        found.append(block)
        at = high
    return found


def usage_in(document_, begin, end):
    """The summed columns of the blocks that make up [begin, end)."""
    blocks = blocks_in(document_, begin, end)
    return {column: laws.add(block.get(column) for block in blocks) for column in laws.USAGE}


# ---- processes ---------------------------------------------------------------------------------------------------


@dataclass
class Thing:
    """One line of a target program."""

    name: str
    begin: int
    end: int
    values: dict = field(default_factory=dict)

    @property
    def size(self):
        return self.end - self.begin

    def number(self, key):
        return int(self.values[key], 0)


def need_kernel_for(path):
    """SkipTest when it is a 32-bit program, which not every kernel runs."""
    with open(path, "rb") as file:
        elf_class = file.read(5)[4:]
    if elf_class != b"\1":
        return
    try:
        subprocess.Popen([path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).communicate()
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            raise unittest.SkipTest(f"{path.name}: this kernel runs no 32-bit programs") from None
        raise


class Target:
    """A running program of tests/programs and what it has printed so far."""

    def __init__(self, name, *arguments, prefix=(), cwd=None):
        path = PROGRAMS / name
        if not path.exists():
            raise unittest.SkipTest(f"target program {name} was not built")
        need_kernel_for(path)
        self.name = name
        self.things = []
        self._process = subprocess.Popen(
            [*prefix, str(path), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=cwd,
        )
        self._pending = b""
        self.pid = self._process.pid
        try:
            self._read_until_ready()
        except BaseException:
            self.close()
            raise

    def _line(self, deadline):
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            assert left > 0, f"{self.name} said nothing for {TIMEOUT_S} s"
            if not select.select([self._process.stdout], [], [], left)[0]:
                continue
            got = os.read(self._process.stdout.fileno(), 65536)
            if not got:
                return None
            self._pending += got
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode("utf-8", "replace")

    def _read_until_ready(self):
        deadline = time.monotonic() + TIMEOUT_S
        while (line := self._line(deadline)) != "ready":
            if line is None:
                raise AssertionError(f"{self.name} ended early with status {self._process.wait()}")
            if line.startswith("skip: "):
                raise unittest.SkipTest(f"{self.name}: {line[6:]}")
            name, begin, end, *values = line.split()
            self.things.append(Thing(name, int(begin, 16), int(end, 16), dict(v.split("=", 1) for v in values)))

    def __getitem__(self, name):
        """The newest thing of that name."""
        return self.all(name)[-1]

    def all(self, name):
        found = [thing for thing in self.things if thing.name == name]
        assert found, f"{self.name} told of no {name!r}"
        return found

    def step(self):
        self._process.stdin.write(b"step\n")
        self._read_until_ready()

    def close(self):
        """Ends the target; it has half a second to do so by itself."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


def start(name, *arguments, prefix=(), cwd=None):
    """Starts a program of tests/programs; SkipTest with its reason when it cannot do its thing here."""
    return Target(name, *arguments, prefix=prefix, cwd=cwd)


def thread_states(pid):
    """The state letter of every thread; empty when the process is gone."""
    states = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/task/{thread}/stat").read_bytes()
                states.append(text[text.rindex(b")") + 2 :][:1].decode())
    return states


def children(pid):
    """The direct children of a process."""
    found = set()
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii")
                found.update(map(int, text.split()))
    return sorted(found)


def tree(pid):
    """The process and everything below it, parents first."""
    found = [pid]
    for parent in found:
        found += [child for child in children(parent) if child not in found]
    return found


def _stop(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 30
    while any(state not in "TtZX" for state in thread_states(pid)):
        assert time.monotonic() < deadline, f"process {pid} does not stop: {thread_states(pid)}"
        time.sleep(0.002)


@contextlib.contextmanager
def stopped(*pids):
    """The processes stopped, all their threads; they go on afterwards."""
    try:
        for pid in pids:
            _stop(pid)
        yield
    finally:
        for pid in reversed(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def stopped_tree(pid):
    """The process and everything below it stopped; yields their pids."""
    held = []
    try:
        while new := [each for each in tree(pid) if each not in held]:
            held += new
            for each in new:
                _stop(each)
        yield [each for each in held if thread_states(each) and set(thread_states(each)) != {"Z"}]
    finally:
        for each in reversed(held):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)


def end_tree(process):
    """Ends a started process and everything below it, by pid. It may first end by itself and clean up (/dev/shm)."""
    started = {pid: start_time(pid) for pid in tree(process.pid)}
    if process.stdin:
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
    _kill_all(started)
    process.wait()


def _kill_all(started):
    """Kills the processes and what they started since; stopped first, or a master would start its workers again."""
    born = {pid: since for pid, since in started.items() if start_time(pid) == since}
    for signal_number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in list(born):
            for child in tree(pid)[1:]:
                born.setdefault(child, start_time(child))
        for pid, since in born.items():
            if since is not None and start_time(pid) == since:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal_number)
    deadline = time.monotonic() + 10
    while any(set(thread_states(pid)) - {"Z", "X"} for pid in born) and time.monotonic() < deadline:
        time.sleep(0.02)


def start_time(pid):
    """When the process was started, in clock ticks; None when there is no such process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return int(text[text.rindex(b")") + 2 :].split()[19])


CHROMIUM = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-default-apps --disable-sync"
).split()


# ---- what the machine has ----------------------------------------------------------------------------------------


def need(command):
    """The path of a command; SkipTest when the machine does not have it."""
    path = shutil.which(command)
    if not path:
        raise unittest.SkipTest(f"{command} is not installed")
    return path


def need_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")


def need_privilege():
    """SkipTest unless tests may change the machine."""
    need_root()
    if os.environ.get("VMSCAN_TEST_PRIVILEGED") != "1":
        raise unittest.SkipTest("changes the machine: needs VMSCAN_TEST_PRIVILEGED=1")


def as_nobody():
    """The words before a command that run it as the user nobody. SkipTest without root or setpriv."""
    need_root()
    return [need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]


def free_swap():
    for line in pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("SwapFree:"):
            return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def some_swap():
    """At least 16 MiB of free swap: what the machine has, or a file of our own for as long as it is needed."""
    if free_swap() > 16 << 20:
        yield
        return
    need_privilege()
    with tempfile.NamedTemporaryFile(dir="/var/tmp", prefix="vmscan-swap-") as file:
        os.posix_fallocate(file.fileno(), 0, 64 << 20)
        os.chmod(file.name, 0o600)
        subprocess.run([need("mkswap"), file.name], check=True, capture_output=True)
        done = subprocess.run([need("swapon"), file.name], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise unittest.SkipTest(f"swapon: {done.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["swapoff", file.name], check=True)


@contextlib.contextmanager
def kernel_setting(path, value):
    """A file under /proc/sys or /sys with another value, put back afterwards."""
    file = pathlib.Path(path)
    if not file.exists():
        raise unittest.SkipTest(f"this kernel has no {path}")
    old = file.read_text(encoding="ascii").strip()
    file.write_text(str(value), encoding="ascii")
    try:
        yield
    finally:
        file.write_text(old, encoding="ascii")


def main():
    """Runs the tests of the calling file: exit code 77, and the reasons, when every one was skipped."""
    if not os.access(PROGRAM, os.X_OK):
        print(f"vmscan is not at {PROGRAM}: set VMSCAN", file=sys.stderr)
        sys.exit(2)
    result = unittest.main(module="__main__", exit=False).result
    for test, reason in result.skipped:
        print(f"skipped: {test.id().partition('.')[2]}: {reason}", file=sys.stderr)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(EXIT_SKIPPED if result.testsRun and len(result.skipped) >= result.testsRun else 0)

"""Cores against the live process: a stopped process is looked at, dumped by gcore and then by the kernel, and the dumps
must tell what was seen: the same regions, types, sizes, committed and private bytes and protections.

What a core cannot tell is unknown: it equals anything, and every unknown must have its note. What else may differ is
listed in EXCEPTIONS, and each use of one is counted and printed.

VMSCAN_TEST_CORE_DIRECTORY=DIR writes the cores into DIR (/var/tmp otherwise), where there is room for 60 GiB, or a file
system that compresses (btrfs): then gcore dumps a process of Chromium, too.
"""

import bisect
import collections
import contextlib
import csv
import io
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import laws
import vmscan

LARGE_DIRECTORY = os.environ.get("VMSCAN_TEST_CORE_DIRECTORY")
EXCEPTIONS = {
    "vvar": "gcore: [vvar] and its kin are left out of the core",
    "zeros": "gcore: inaccessible memory is written as readable, so that readable private memory which holds only zeros "
    "(Java's polling page) is taken for inaccessible",
    "sharing": "a writable mapping of a file that is no image may be shared or private: Read/Write or Copy on write, and Private "
    "is unknown",
    "contents": "private memory was not dumped: what only contents tell apart (the dynamic loader's own) is one with what it "
    "touches",
}
# Free and Unusable are not compared: a core does not know vm.mmap_min_addr. Guard regions (MADV_GUARD_INSTALL) exist only
# in page tables, and no program here has them.
NOT_COMPARED = ("free", "page_table", "unusable")
UNKNOWN_NOTES = {
    "core_sharing_unknown", "core_rights_unknown", "core_private_unknown", "core_pages_unknown", "core_private_not_dumped",
}
# Default action: dump core. The first that a program does not handle itself is taken.
DUMPING = (signal.SIGABRT, signal.SIGSYS, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGTRAP, signal.SIGILL, signal.SIGQUIT)


def regions(document):
    return {laws.span(r) + (r["type"],): r for r in document["regions"] if r["type"] not in NOT_COMPARED}


def joined(found):
    """Regions of private data that touch as one, and so their blocks of equal protection: contents alone tell them apart."""
    runs = []
    for key in sorted(found, key=lambda each: each[:2]):
        if runs and runs[-1][-1][1] == key[0] and runs[-1][-1][2] == key[2] == "private_data":
            runs[-1].append(key)
        else:
            runs.append([key])
    result = {}
    for keys in runs:
        parts = [found[key] for key in keys]
        blocks = []
        for block in (block for part in parts for block in part["blocks"]):
            if blocks and len(parts) > 1 and laws.span(blocks[-1])[1] == laws.span(block)[0] and \
                    blocks[-1]["protection"] == block["protection"]:
                block = {**blocks[-1], "size": blocks.pop()["size"] + block["size"]}
            blocks.append(block)
        whole = {**parts[0], "blocks": blocks}
        for column in ("committed", "private"):
            figures = [part.get(column) for part in parts]
            whole[column] = None if None in figures else sum(figures)
        result[(keys[0][0], keys[-1][1], *keys[0][2:])] = whole
    return result


class Protections:
    """The runs of equal protection."""

    def __init__(self, regions_):
        self.runs = []
        for block in (block for region in regions_ for block in region["blocks"]):
            begin, end = laws.span(block)
            if self.runs and self.runs[-1][1] == begin and self.runs[-1][2] == block["protection"]:
                begin = self.runs.pop()[0]
            self.runs.append((begin, end, block["protection"]))
        self._ends = [end for _, end, _ in self.runs]

    def at(self, address):
        """Protection at the address, None in a hole, and where that ends."""
        i = bisect.bisect_right(self._ends, address)
        if i == len(self.runs):
            return None, 1 << 64
        begin, end, protection = self.runs[i]
        return (protection, end) if begin <= address else (None, begin)


class Comparison:
    def __init__(self, live, core, gcore):
        self.differences, self.unknown, self.used = [], 0, collections.Counter()
        self._gcore = gcore
        self._seen, self._told = regions(live), regions(core)
        if any(note["code"] == "core_private_not_dumped" for note in core["notes"]):
            before = len(self._seen)
            self._seen, self._told = joined(self._seen), joined(self._told)
            self.used["contents"] += before - len(self._seen)
        self._core_protections = Protections(self._told.values())
        self._private_unknown = {
            laws.span(block) for r in self._told.values() for block in r["blocks"] if block.get("private") is None
        }
        if gcore:
            for key in [key for key, r in self._seen.items() if key not in self._told and r["details"][:5] == "[vvar"]:
                self.used["vvar"] += 1
                del self._seen[key]
        for key in sorted(set(self._seen) ^ set(self._told)):
            side = "live" if key in self._seen else "in the core"
            self.differences.append(f"only {side}: {key[0]:x}-{key[1]:x} {key[2]}")
        for key in sorted(set(self._seen) & set(self._told)):
            self._compare(self._seen[key], self._told[key])

    def _compare(self, live, core):
        zeros = sum(
            end - begin
            for begin, end, protection in Protections([live]).runs
            if self._excused(begin, end, protection, self._core_protections.at(begin)[0]) == "zeros"
        )
        for column in ("committed", "private"):
            expected = live[column] and max(live[column] - zeros, 0)  # a page that was only read is not private everywhere
            self.unknown += core.get(column) is None
            if core.get(column) not in (None, expected):
                self.differences.append(f"{live['address']} {column}: live {live[column]}, core {core[column]}")
        for begin, end, protection in Protections([live]).runs:
            at = begin
            while at < end:
                other, until = self._core_protections.at(at)
                excuse = other not in (None, protection) and self._excused(at, min(end, until), protection, other)
                if excuse:
                    self.used[excuse] += 1
                elif other not in (None, protection):
                    self.differences.append(f"{at:x} protection: live {protection}, core {other}")
                at = until

    def _excused(self, begin, end, live, core):
        if self._gcore and (live, core) == ("Read", "No access"):
            return "zeros"
        doubtful = any(low <= begin and end <= high for low, high in self._private_unknown)
        return "sharing" if doubtful and {live, core} == {"Read/Write", "Copy on write"} else None


@contextlib.contextmanager
def core_pattern():
    """The kernel writes cores into the directory of the process: as it is set, or set so for the moment."""
    path = "/proc/sys/kernel/core_pattern"
    if pathlib.Path(path).read_text(encoding="utf-8").startswith("core"):
        yield True
    elif os.geteuid() == 0 and os.environ.get("VMSCAN_TEST_PRIVILEGED") == "1":
        with vmscan.kernel_setting(path, "core"):
            yield True
    else:
        yield False


def has_ended(pid):
    states = vmscan.thread_states(pid)
    return set(states) <= {"Z", "X"} if states else vmscan.start_time(pid) is None


class CoreTest(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="vmscan-core-", dir=LARGE_DIRECTORY or "/var/tmp")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.compared, self.processes = [], []
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))  # what is started inherits it

    def write(self, name, text):
        path = pathlib.Path(self.home, name)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def start(self, *command, wait=1.0, **options):
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, **options}
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=self.home, **options)
        self.addCleanup(vmscan.end_tree, process)
        self.processes.append(process)
        time.sleep(wait)
        self.assertIsNone(process.poll(), f"{command[0]} ended early")
        return process.pid

    def say(self, kind, text):
        print(f"  {self.id().rpartition('.')[2]}, {kind}: {text}", flush=True)

    def check(self, live, path, kind):
        core = vmscan.snapshot(path)
        for key in ("pid", "name", "pointer_bits", "page_size"):
            self.assertEqual(core["target"][key], live["target"][key], key)
        self.assertEqual([thread["id"] for thread in core["threads"]], [thread["id"] for thread in live["threads"]])
        result = Comparison(live, core, gcore=kind == "gcore")
        found = result.differences
        exceptions = "".join(f", {count} {name}" for name, count in sorted(result.used.items()) if count)
        self.say(kind, f"{os.path.getsize(path) >> 20} MiB, {len(core['regions'])} regions, {result.unknown} unknown"
                 f"{exceptions}, {len(found)} differences")
        self.assertFalse(found, f"{len(found)} differences\n" + "\n".join(found[:30]))
        codes = {note["code"] for note in core["notes"]}
        self.assertTrue(result.unknown == 0 or codes & UNKNOWN_NOTES, f"{result.unknown} unknown without a note: {codes}")
        self.compared.append(kind)

    def gcore(self, pid, live):
        if not shutil.which("gcore"):
            return self.say("gcore", "skipped: not installed (gdb)")
        path = os.path.join(self.home, "gcore")
        done = subprocess.run(["gcore", "-o", path, str(pid)], capture_output=True, text=True,
                              timeout=1000 if LARGE_DIRECTORY else 100, check=False)
        saved = done.returncode == 0 and "Saved corefile" in done.stdout  # a full disk alone is no failure to it
        self.assertTrue(saved, f"{done.stdout[-500:]}\n{done.stderr[-500:]}")
        self.check(live, f"{path}.{pid}", "gcore")
        os.unlink(f"{path}.{pid}")

    def dump(self, pid):
        """Lets the kernel dump the stopped process, which ends by that. Returns the path; SkipTest with the reason."""
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        caught, ignored = (int(status.partition(name)[2].split()[0], 16) for name in ("SigCgt:", "SigIgn:"))
        number = next((each for each in DUMPING if not (caught | ignored) >> (each - 1) & 1), None)
        if number is None:
            self.skipTest("it handles every signal that dumps")
        directory = os.readlink(f"/proc/{pid}/cwd")
        before = set(os.listdir(directory))
        with core_pattern() as possible:
            if not possible:
                self.skipTest("core_pattern is set otherwise, needs VMSCAN_TEST_PRIVILEGED=1")
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)
            deadline = time.monotonic() + 60
            while not has_ended(pid) and time.monotonic() < deadline:
                time.sleep(0.02)
        cores = [name for name in set(os.listdir(directory)) - before if name.startswith("core")]
        if not cores:
            self.skipTest("the kernel wrote no core (core_pattern, limits)")
        return os.path.join(directory, cores[0])

    def cores_of(self, pid):
        """Kind and path of each core that can be had of the stopped process, which ends by it."""
        if shutil.which("gcore"):
            path = os.path.join(self.home, "gcore")
            subprocess.run(["gcore", "-o", path, str(pid)], capture_output=True, timeout=100, check=True)
            yield "gcore", f"{path}.{pid}"
        with contextlib.suppress(unittest.SkipTest):
            yield "kernel", self.dump(pid)

    def strings(self, target, *options):
        """Address and text of every string with its row."""
        done = subprocess.run(
            [vmscan.PROGRAM, "strings", str(target), "--csv", "-q", "-n", "6", *options], capture_output=True, check=True
        )
        rows = csv.DictReader(io.StringIO(done.stdout.decode("utf-8")))
        return {(row["address"], row["text"]): row for row in rows}

    def kernel_core(self, pid, live):
        try:
            path = self.dump(pid)
        except unittest.SkipTest as reason:
            return self.say("kernel", f"skipped: {reason}")
        try:
            self.check(live, path, "kernel")
        finally:
            os.unlink(path)

    def compare(self, pid, kinds=("gcore", "kernel"), coredump_filter=None):
        """The process ends with it when the kernel dumps it."""
        if coredump_filter is not None:
            pathlib.Path(f"/proc/{pid}/coredump_filter").write_text(f"{coredump_filter:#x}", encoding="ascii")
        with vmscan.stopped(pid):
            live = vmscan.snapshot(pid)
            if "gcore" in kinds:
                self.gcore(pid, live)
            if "kernel" in kinds:
                self.kernel_core(pid, live)
        if not self.compared:
            self.skipTest("no core of it can be had here")

    def compare_target(self, name, **options):
        with vmscan.start(name, cwd=self.home) as target:
            self.compare(target.pid, **options)

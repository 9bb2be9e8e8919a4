"""Cores against the live process: a stopped process is looked at, dumped by gcore and then by the kernel, and the dumps
must tell what was seen: the same regions, types, sizes, committed and private bytes and protections.

What differs, and why:
- a core does not know vm.mmap_min_addr, and guard regions (MADV_GUARD_INSTALL) exist only in page tables;
- gcore leaves out [vvar] and its kin; of files that it did not dump only names are there: protections and Private are
  unknown, and a writable file may be shared or private;
- gcore writes inaccessible memory as readable; readable private memory that holds only zeros (Java's polling page) is
  taken for such;
- what a core cannot tell is unknown: it equals anything, and every unknown must have its note.
"""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import laws
import vmscan

# Default action: dump core. The first that a program does not handle itself.
DUMPING = (signal.SIGABRT, signal.SIGSYS, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGTRAP, signal.SIGILL, signal.SIGQUIT)
UNKNOWN_NOTES = {"core_sharing_unknown", "core_rights_unknown", "core_private_unknown", "core_pages_unknown"}
JAVA = "public class Busy { public static void main(String[] a) throws Exception { while (System.in.read() >= 0) { } } }"
GO = """
package main

import "os"

func main() {
	block := make(chan bool)
	for i := 0; i < 50; i++ {
		go func() { <-block }()
	}
	os.Stdin.Read(make([]byte, 1))
}
"""


def has_core_rule(region):
    return region["type"] not in ("free", "page_table", "unusable")


def regions(document):
    return {laws.span(region) + (region["type"],): region for region in document["regions"] if has_core_rule(region)}


def protections(document):
    """(begin, end, protection) of every run of equal protection."""
    runs = []
    for block in (block for region in document["regions"] if has_core_rule(region) for block in region["blocks"]):
        begin, end = laws.span(block)
        if runs and runs[-1][1] == begin and runs[-1][2] == block.get("protection"):
            begin = runs.pop()[0]
        runs.append((begin, end, block.get("protection")))
    return runs


def protection_at(runs, address):
    for begin, end, protection in runs:
        if begin <= address < end:
            return protection, end
    return None, min((begin for begin, _, _ in runs if begin > address), default=address + 1)


def only_zeros(key, live, core):
    """Bytes of a region that are readable in the live process and inaccessible in its gcore."""
    core_runs = protections(core)
    return sum(
        end - begin
        for begin, end, protection in protections(live)
        if protection == "Read" and key[0] <= begin < key[1] and protection_at(core_runs, begin)[0] == "No access"
    )


def differences(live, core, gcore):
    """What the core tells otherwise. An unknown of the core equals anything; returns how many there were, too."""
    found, unknown = [], 0
    seen, told = regions(live), regions(core)
    left_out = {key for key, region in seen.items() if gcore and region["details"].startswith("[vvar")}
    for key in sorted(set(seen) ^ set(told)):
        if key not in left_out:
            found.append(f"only {'live' if key in seen else 'in the core'}: {key[0]:x}-{key[1]:x} {key[2]}")
    for key in sorted(set(seen) & set(told)):
        for column in ("committed", "private"):
            unknown += told[key].get(column) is None
            expected = seen[key].get(column)
            if gcore and column == "committed":
                expected -= only_zeros(key, live, core)
            if told[key].get(column) not in (None, expected):
                found.append(f"{key[0]:x} {column}: live {seen[key].get(column)}, core {told[key].get(column)}")
    core_runs = protections(core)
    doubtful = {laws.span(block)[0] for region in core["regions"] for block in region.get("blocks", ())
                if block.get("private") is None}
    for begin, end, protection in protections(live):
        if any(low <= begin < high for low, high, _ in left_out):
            continue
        at = begin
        while at < end:
            other, at_end = protection_at(core_runs, at)
            shared_or_not = any(at <= each < end for each in doubtful) and {protection, other} == {
                "Read/Write", "Copy on write"}
            zeros = gcore and (protection, other) == ("Read", "No access")
            if other not in (protection, None) and not shared_or_not and not zeros:
                found.append(f"{at:x} protection: live {protection}, core {other}")
            at = at_end
    return found, unknown


class Cores(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="vmscan-core-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))  # what is started inherits it

    def start(self, *command, wait=1.0, **options):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, cwd=self.home, **options)
        self.addCleanup(vmscan.end_tree, process)
        time.sleep(wait)
        self.assertIsNone(process.poll(), f"{command[0]} ended early")
        return process.pid

    def check(self, live, path, gcore):
        core = vmscan.snapshot(path)
        self.assertEqual((core["target"]["pid"], core["target"]["name"]), (live["target"]["pid"], live["target"]["name"]))
        self.assertEqual([thread["id"] for thread in core["threads"]], [thread["id"] for thread in live["threads"]])
        found, unknown = differences(live, core, gcore)
        codes = {note["code"] for note in core["notes"]}
        print(f"  {self.id().rpartition('.')[2]}: {os.path.basename(path)[:5]}, {os.path.getsize(path) >> 20} MiB, "
              f"{len(core['regions'])} regions, {unknown} unknown", flush=True)
        self.assertFalse(found, f"{len(found)} differences\n" + "\n".join(found[:30]))
        self.assertTrue(unknown == 0 or codes & UNKNOWN_NOTES, f"{unknown} unknown without a note: {codes}")

    def gcore(self, pid, live):
        if not shutil.which("gcore"):
            print("  skipped: gcore is not installed (gdb)", flush=True)
            return
        path = os.path.join(self.home, "gcore")
        done = subprocess.run(["gcore", "-o", path, str(pid)], capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check(live, f"{path}.{pid}", gcore=True)
        os.unlink(f"{path}.{pid}")

    @contextlib.contextmanager
    def core_pattern(self):
        """The kernel writes cores into the directory of the process: as it is, or set for the moment."""
        pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8").strip()
        if pattern.startswith("core"):
            yield
            return
        if os.geteuid() != 0 or os.environ.get("VMSCAN_TEST_PRIVILEGED") != "1":
            print("  skipped: kernel's core: core_pattern is set otherwise, needs VMSCAN_TEST_PRIVILEGED=1", flush=True)
            yield None
            return
        with vmscan.kernel_setting("/proc/sys/kernel/core_pattern", "core"):
            yield

    def kernel_core(self, pid, live):
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        number = next((each for each in DUMPING if not caught >> (each - 1) & 1), None)
        if number is None:
            print("  skipped: kernel's core: the program handles every signal that dumps", flush=True)
            return
        directory = os.readlink(f"/proc/{pid}/cwd")
        before = set(os.listdir(directory))
        with self.core_pattern():
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)
            deadline = time.monotonic() + 60
            while set(vmscan.thread_states(pid)) - {"Z", "X"} and time.monotonic() < deadline:
                time.sleep(0.02)
        cores = [name for name in set(os.listdir(directory)) - before if name.startswith("core")]
        if not cores:
            print("  skipped: the kernel wrote no core (core_pattern, limits)", flush=True)
            return
        path = os.path.join(directory, cores[0])
        self.addCleanup(os.unlink, path)
        self.check(live, path, gcore=False)

    def compare(self, pid, kinds=("gcore", "kernel")):
        """The process ends with it when the kernel dumps it."""
        with vmscan.stopped(pid):
            live = vmscan.snapshot(pid)
            if "gcore" in kinds:
                self.gcore(pid, live)
            if "kernel" in kinds:
                self.kernel_core(pid, live)

    def compare_target(self, name):
        with contextlib.chdir(self.home) if hasattr(contextlib, "chdir") else contextlib.nullcontext():
            target = vmscan.start(name)
        with target:
            self.compare(target.pid)

    def test_sleep(self):
        self.compare(self.start(vmscan.need("sleep"), "1000", wait=0.3))

    def test_python(self):
        self.compare(self.start("/usr/bin/python3", "-c", "import ssl, ctypes, sqlite3, sys; sys.stdin.read()"))

    def test_threads(self):
        self.compare_target("threads")

    def test_arenas(self):
        self.compare_target("heap_arenas")

    def test_a_static_program(self):
        self.compare_target("plain_static")

    def test_a_32_bit_program(self):
        self.compare_target("plain_32")

    def test_shared_and_private_files(self):
        self.compare_target("shared_file")

    def test_memory_without_a_disk(self):
        self.compare_target("memfd")

    def test_a_go_program(self):
        environment = {**os.environ, "GOCACHE": f"{self.home}/cache", "GO111MODULE": "off", "GOFLAGS": ""}
        source = pathlib.Path(self.home, "busy.go")
        source.write_text(GO, encoding="utf-8")
        subprocess.run([vmscan.need("go"), "build", "-o", f"{self.home}/busy", str(source)], check=True,
                       capture_output=True, cwd=self.home, env=environment)
        self.compare(self.start(f"{self.home}/busy", wait=0.5))

    def test_node(self):
        vmscan.need_privilege()
        self.compare(self.start(vmscan.need("node"), "-e", "process.stdin.resume()"))

    def test_java(self):
        vmscan.need_privilege()
        vmscan.need("javac")
        pathlib.Path(self.home, "Busy.java").write_text(JAVA, encoding="utf-8")
        pid = self.start(vmscan.need("java"), "-Xmx32m", f"{self.home}/Busy.java", wait=4)
        self.compare(pid)

    def test_postgres(self):
        vmscan.need_privilege()
        initdb = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
        if not initdb:
            self.skipTest("postgres is not installed")
        prefix = vmscan.as_nobody()
        os.chown(self.home, 65534, 65534)
        data = f"{self.home}/data"
        subprocess.run([*prefix, str(initdb), "-D", data, "--no-sync", "-A", "trust"], check=True, capture_output=True,
                       cwd=self.home)
        pid = self.start(*prefix, str(initdb.parent / "postgres"), "-D", data, "-k", self.home, "-c",
                         "listen_addresses=")
        self.compare(pid)

    def test_a_chromium_renderer(self):
        vmscan.need_privilege()
        pid = self.start(vmscan.need("chromium"), *vmscan.CHROMIUM, f"--user-data-dir={self.home}/profile",
                         "--remote-debugging-port=0", "about:blank", wait=5)
        for each in vmscan.tree(pid):
            command = pathlib.Path(f"/proc/{each}/cmdline").read_bytes()
            if b"--type=renderer" in command:
                self.compare(each, kinds=("kernel",))  # gdb writes a core of all that is reserved: a TiB
                return
        self.skipTest("chromium started no renderer")


if __name__ == "__main__":
    vmscan.main()

"""The memory of managed runtimes, against what each runtime says of itself."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import laws
import programs
import vmscan

PYTHON = """
import sys
kept = [(i, str(i)) for i in range(200000)]
kept = kept[::2]
sys._debugmallocstats()
sys.stdin.read()
"""

# Reading synchronously keeps the collector from running after the report.
NODE = """
const kept = [];
for (let i = 0; i < 1e5; i++) kept.push({ a: i });
kept.push(new Array(100000).fill(1), 'x'.repeat(2000000) + 'y');
const spaces = require('v8').getHeapSpaceStatistics();
require('fs').writeSync(1, JSON.stringify(spaces) + '\\n');
require('fs').readSync(0, Buffer.alloc(1));
console.log(kept.length);
"""

MONO = """
using System;
unsafe class Busy {
  static void Main() {
    var kept = new System.Collections.Generic.List<byte[]>();
    for (int i = 0; i < 20000; ++i) kept.Add(new byte[1000]);
    kept.Add(new byte[500000]);
    GC.Collect();
    for (int i = 0; i < kept.Count; i += 1000) fixed (byte* at = kept[i]) Console.WriteLine("0x{0:x}", (long)at);
    Console.WriteLine("done");
    while (Console.In.Read() >= 0) { }
    Console.WriteLine(kept.Count);
  }
}
"""

RUBY = """
x = (1..200000).map { |i| [i.to_s] }
GC.start
GC.disable
STDOUT.sync = true
puts GC.stat(:heap_allocated_pages) * GC::INTERNAL_CONSTANTS[:HEAP_PAGE_SIZE]
STDIN.read
"""

LUA = """
x = {}
for i = 1, 200000 do x[i] = {i} end
big = string.rep('x', 1000000)
io.write(collectgarbage('count') * 1024, '\\n')
for i = 1, 200000, 10000 do io.write((tostring(x[i]):gsub('table: ', '')), '\\n') end
io.write('done\\n')
io.flush()
io.read()
"""

ANONYMOUS = ("heap", "managed_heap", "stack", "private_data")


def sizes(document, details, block=None):
    """Bytes of the regions, or of their blocks, of that name."""
    found = 0
    for region in document["regions"]:
        if region["type"] == "managed_heap" and region["details"] == details:
            blocks = [b["size"] for b in region["blocks"] if b.get("details") == block]
            found += sum(blocks) if block else region["size"]
    return found


def managed(document):
    return [(r["address"], r["size"], r["details"]) for r in document["regions"] if r["type"] == "managed_heap"]


class Runtimes(programs.StartsPrograms):
    def output(self, pattern="", at_most_s=30):
        """What the program has written, once that matches."""
        deadline = time.monotonic() + at_most_s
        while True:
            text = pathlib.Path(self.home, "output").read_text(encoding="utf-8", errors="replace")
            if re.search(pattern, text, re.MULTILINE) or time.monotonic() > deadline:
                return text
            time.sleep(0.1)

    def check_named(self, document, least=0.95):
        """How much of the memory in RAM that is not of a file has an owner with a name."""
        in_ram = {kind: 0 for kind in ANONYMOUS}
        for region in document["regions"]:
            if region["type"] in in_ram:
                in_ram[region["type"]] += region["private_ws"]
        share = 1 - in_ram["private_data"] / sum(in_ram.values())
        name = self.id().rpartition(".")[2]
        print(f"  {name}: {share:.1%} of {sum(in_ram.values()) >> 10} KiB have an owner", flush=True)
        self.assertGreaterEqual(share, least)

    def check_core(self, pid, document):
        """The dump of gcore shows the same parts as the process did."""
        gcore = vmscan.need("gcore")
        with vmscan.stopped(pid):
            subprocess.run([gcore, "-o", f"{self.home}/core", str(pid)], check=True, capture_output=True)
        self.assertEqual(managed(vmscan.details(f"{self.home}/core.{pid}")), managed(document))

    def test_python_arenas_are_those_that_it_counts(self):
        pid = self.start("/usr/bin/python3", "-c", PYTHON)
        said = re.search(r"^(\d+) arenas \* (\d+) bytes/arena *= *([\d,]+)", self.output("bytes/arena"), re.MULTILINE)
        document = vmscan.details(pid)
        self.assertEqual(sizes(document, "CPython arenas"), int(said[3].replace(",", "")))
        self.check_named(document)
        self.check_core(pid, document)

    def test_a_python_that_does_not_use_its_allocator_has_no_arenas(self):
        environment = {**os.environ, "PYTHONMALLOC": "malloc"}
        document = vmscan.details(self.start("/usr/bin/python3", "-c", PYTHON, env=environment))
        self.assertEqual(managed(document), [])

    def test_node_spaces_have_the_sizes_that_v8_tells(self):
        for _ in range(3):  # a collection that still runs when the figures are printed frees pages afterwards
            pid = self.start(vmscan.need("node"), "-e", NODE)
            spaces = {s["space_name"]: s["space_size"] for s in json.loads(self.output(r"\]$").splitlines()[-1])}
            document = vmscan.details(pid)
            if sizes(document, "V8 old space") == spaces["old_space"]:
                break
        self.assertEqual(sizes(document, "V8 old space"), spaces["old_space"])
        self.assertEqual(sizes(document, "V8 large object space"), spaces["large_object_space"])
        self.assertGreater(spaces["large_object_space"], 0)
        self.check_named(document)
        self.check_core(pid, document)

    def start_busy_java(self, *options):
        java, compiler = vmscan.need("java"), vmscan.need("javac")
        subprocess.run([compiler, self.write("Busy.java", programs.JAVA)], check=True, capture_output=True, cwd=self.home)
        return self.start(java, "-Xmx256m", "-XX:NativeMemoryTracking=summary", *options, "-cp", self.home, "Busy")

    def jcmd(self, pid, *arguments):
        return subprocess.run([vmscan.need("jcmd"), str(pid), *arguments], check=True, capture_output=True, text=True).stdout

    def check_java(self, pid):
        told = self.jcmd(pid, "VM.native_memory", "summary")
        reserved = {}
        for name, text in re.findall(r"^- +(.*?) \(reserved=.*\n((?: .*\n)*)", told, re.MULTILINE):
            mapped = re.search(r"mmap: reserved=(\d+)KB", text)
            reserved[name] = int(mapped[1]) * 1024 if mapped else 0
        document = vmscan.details(pid)
        # Parts of a heap from the archive of shared classes are mappings of a file.
        heap = re.search(r"\[0x([0-9a-f]+), (?:0x[0-9a-f]+, )?0x([0-9a-f]+)\)", self.jcmd(pid, "GC.heap_info"))
        begin = int(heap[1], 16)
        files = sum(r["size"] for r in document["regions"] if r["type"] == "mapped_file" and
                    begin <= (laws.address(r) or 0) < begin + reserved["Java Heap"])
        self.assertEqual(sizes(document, "HotSpot Java heap") + files, reserved["Java Heap"])
        self.assertEqual(sizes(document, "HotSpot class space"), reserved["Class"])
        if "Metaspace" in reserved:  # 17 and later
            self.assertEqual(sizes(document, "HotSpot metaspace"), reserved["Metaspace"])
        code = sizes(document, "HotSpot code cache") + sizes(document, "HotSpot code cache's map")
        self.assertEqual(code, reserved["Code"])
        self.check_named(document)
        return document

    def test_java_with_g1(self):
        pid = self.start_busy_java("-XX:+UseG1GC")
        document = self.check_java(pid)
        told = re.search(r"region size (\d+)K, (\d+) young", self.jcmd(pid, "GC.heap_info"))
        again = sizes(vmscan.details(pid), "HotSpot Java heap", "young")
        young = int(told[1]) * int(told[2]) * 1024
        self.assertIn(young, (sizes(document, "HotSpot Java heap", "young"), again))
        self.assertGreaterEqual(sizes(document, "HotSpot Java heap", "humongous"), 4 << 20)
        self.check_core(pid, vmscan.details(pid))

    def test_java_with_the_parallel_and_the_serial_collector(self):
        for collector in ("Parallel", "Serial"):
            with self.subTest(collector):
                document = self.check_java(self.start_busy_java(f"-XX:+Use{collector}GC"))
                for generation in ("young", "old"):
                    self.assertGreater(sizes(document, "HotSpot Java heap", generation), 32 << 20)

    def check_go(self, *flags):
        pid = self.start(programs.build_go(self.home, *flags))
        lines = self.output("0x").split()
        heap_and_stacks, everything = int(lines[0]), int(lines[1])
        document = vmscan.details(pid)
        for address in lines[2:]:
            self.assertEqual(vmscan.region_at(document, int(address, 16))["details"], "Go arena")
        arenas = sum(r["committed"] for r in document["regions"] if r["details"] == "Go arena")
        # Buffers of the collector are in the arenas, but neither heap nor stack.
        self.assertLessEqual(heap_and_stacks, arenas)
        self.assertLessEqual(arenas - heap_and_stacks, 1 << 20)
        committed = sum(r["committed"] for r in document["regions"] if r["type"] == "managed_heap")
        self.assertGreaterEqual(committed, everything * 0.95)
        self.check_named(document)
        return pid, document

    def test_go_arenas_hold_its_blocks_and_stacks(self):
        self.check_core(*self.check_go())

    def test_go_without_symbols(self):
        self.check_go("-ldflags=-s -w")

    def check_addresses(self, document, addresses, *kinds):
        self.assertTrue(addresses)
        for address in addresses:
            region = vmscan.region_at(document, int(address, 16))
            self.assertIn(region["details"], kinds, address)

    def test_mono_objects_are_in_its_generations(self):
        program, compiler = vmscan.need("mono"), vmscan.need("mcs")
        subprocess.run([compiler, "-unsafe", f"-out:{self.home}/Busy.exe", self.write("Busy.cs", MONO)], check=True,
                       capture_output=True)
        pid = self.start(program, f"{self.home}/Busy.exe")
        document = vmscan.details(pid)
        addresses = re.findall(r"^0x[0-9a-f]+", self.output("^done"), re.MULTILINE)
        self.check_addresses(document, addresses, "Mono old generation", "Mono young generation", "Mono large objects")
        self.assertEqual(sizes(document, "Mono young generation"), 4 << 20)
        self.assertGreaterEqual(sizes(document, "Mono large objects"), 1 << 20)
        self.check_named(document)

    def test_coreclr_objects_are_in_its_heap(self):
        pid = self.start_dotnet(MONO)
        addresses = re.findall(r"^0x[0-9a-f]+", self.output("^done"), re.MULTILINE)
        document = vmscan.details(pid)
        self.check_addresses(document, addresses[:-1], "CoreCLR small objects")
        self.check_addresses(document, addresses[-1:], "CoreCLR large objects")
        self.check_named(document)
        self.check_core(pid, document)

    def test_ruby_pages_are_those_that_it_counts(self):
        pid = self.start(vmscan.need("ruby"), "--disable-gems", "-e", RUBY)
        told = int(self.output(r"^\d+$"))
        document = vmscan.details(pid)
        self.assertAlmostEqual(sizes(document, "Ruby heap"), told, delta=2 * 65536)
        self.check_named(document)

    def test_luajit_objects_are_in_its_heap(self):
        pid = self.start(vmscan.need("luajit"), "-e", LUA)
        lines = self.output("^done").split()
        document = vmscan.details(pid)
        self.assertGreaterEqual(sizes(document, "LuaJIT heap"), float(lines[0]))
        self.check_addresses(document, lines[1:-1], "LuaJIT heap")
        self.check_named(document)

    def test_a_renderer_of_chromium_has_the_heap_that_it_tells(self):
        pid = self.start_chromium()
        page = next(t for t in self.devtools.ask("Target.getTargets")["targetInfos"] if t["type"] == "page")
        session = self.devtools.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        told = self.devtools.ask("Runtime.getHeapUsage", session=session)["totalSize"]
        found = []
        with vmscan.stopped_tree(pid) as pids:
            for each in pids:
                command = pathlib.Path(f"/proc/{each}/cmdline").read_text(encoding="utf-8", errors="replace")
                if "--type=renderer" not in command:
                    continue
                document = vmscan.details(each)
                self.check_named(document)
                blocks = [(r["details"], b) for r in document["regions"] if r["type"] == "managed_heap" for b in r["blocks"]]
                found.append(sum(b["committed"] for part, b in blocks if part == "V8 trusted space" or (
                    part == "V8 heap cage" and b.get("details", "").endswith(" space") and "Write" in b["protection"])))
        print(f"  V8 tells {told} bytes, the renderers have {found}", flush=True)
        self.assertTrue(any(abs(each - told) <= 512 << 10 for each in found), (told, found))


if __name__ == "__main__":
    vmscan.main()

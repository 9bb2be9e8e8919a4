"""Minidumps of real writers, and of real processes.

- Windows: a program of known layout, built with mingw and dumped by MiniDumpWriteDump under Wine. Wine writes no
  MemoryInfoList even when it is asked to: the whole map of Windows is tested with dumps built by hand (tests/unit).
- Linux: Chromium's Crashpad, which writes no map either; and dumps put together here with the files of /proc of a
  stopped process, as Breakpad stores them, which must tell what the live process tells.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import laws
import vmscan
from cores import joined

NORMAL, FULL, FULL_AND_INFO = "0", "2", "802"
# Rules that need the bytes of memory, and what tells the same of a dump without them.
WITHOUT_MEMORY = {
    "malloc_arena": ("brk_heap", "arena_shape"),
    "loader_data": ("private_anonymous",),
    "malloc_block": ("private_anonymous",),
    "thread_list": ("thread_stack_pointer", "stack_shape"),
}


def note_codes(document):
    return {note["code"] for note in document["notes"]}


def wait_for(condition, seconds, message):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, message
        time.sleep(0.05)
    return found


class Windows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        vmscan.need("wine")
        compiler = shutil.which("x86_64-w64-mingw32-gcc-posix") or vmscan.need("x86_64-w64-mingw32-gcc")
        cls.home = tempfile.mkdtemp(prefix="vmscan-minidump-", dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.home, ignore_errors=True)
        cls.program = f"{cls.home}/dumped.exe"
        source = vmscan.SOURCE / "tests" / "programs" / "windows" / "dumped.c"
        subprocess.run([compiler, "-O0", "-g", "-Wall", "-Wextra", "-o", cls.program, str(source), "-ldbghelp"],
                       check=True, capture_output=True)
        cls.environment = {
            **os.environ,
            "WINEPREFIX": f"{cls.home}/prefix",
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=;winemenubuilder.exe=d;winedbg.exe=d",
        }
        cls.environment.pop("DISPLAY", None)
        os.mkdir(f"{cls.home}/prefix")
        # The services that the first program starts live on: they must not hold our pipes open.
        cls.addClassCleanup(cls.wine, "wineserver", "-k", "-w")
        if cls.wine("wineserver", "-p60") or cls.wine("wine", "wineboot", "-i") or cls.wine("wine", "cmd", "/c", "exit"):
            raise unittest.SkipTest("wine does not start here")
        cls.dumps = {}

    @classmethod
    def wine(cls, *command):
        return subprocess.run(command, env=cls.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=200, check=False).returncode

    def dump(self, flags):
        """What the target told of itself, by name, and the snapshot of its dump."""
        if flags not in self.dumps:
            path = f"{self.home}/{flags}.dmp"
            for _ in range(2):  # Wine itself, seldom, ends with 1 and no word before the program begins
                done = subprocess.run(["wine", self.program, "Z:" + path.replace("/", "\\"), flags], env=self.environment,
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False)
                if done.returncode != 1 or done.stdout or done.stderr:
                    break
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            things = {}
            for words in filter(None, (line.split() for line in done.stdout.split("ready")[0].splitlines())):
                name, begin, end, *values = words
                things[name] = vmscan.Thing(name, int(begin, 16), int(end, 16), dict(v.split("=", 1) for v in values))
            document = vmscan.snapshot(path)
            print(f"  {flags}: {os.path.getsize(path) >> 10} KiB, {len(document['regions'])} regions", flush=True)
            self.dumps[flags] = things, document, path
        return self.dumps[flags]

    def check_all_dumps(self, flags):
        things, document, path = self.dump(flags)
        target = document["target"]
        self.assertEqual((target["kind"], target["system"], target["machine"], target["pointer_bits"]),
                         ("minidump", "windows", "x86_64", 64))
        self.assertEqual(target["name"], "dumped.exe")
        self.assertEqual(target["pid"], things["process"].number("id"))
        self.assertTrue(document["captured_at"].startswith(time.strftime("%Y-", time.gmtime())))
        image = vmscan.region_at(document, things["process"].begin)
        self.assertEqual(laws.address(image), things["process"].begin)
        self.assertEqual((image["type"], image["details"]), ("image", "Z:" + self.program.replace("/", "\\")))
        stack = vmscan.region_at(document, things["thread"].begin)
        self.assertEqual((stack["type"], stack["details"]), ("stack", f"Thread ID: {things['thread'].number('id')}"))
        self.assertIn(things["thread"].number("id"), [thread["id"] for thread in document["threads"]])
        self.assertIsNone(image.get("total_ws"))
        self.assertIn("minidump_partial_map", note_codes(document))
        self.assertFalse([note for note in document["notes"] if "broken" in note["code"] or "missing" in note["code"]])
        vmscan.summary(path)
        vmscan.details(path)

    def test_a_normal_dump(self):
        self.check_all_dumps(NORMAL)

    def test_a_dump_with_all_memory(self):
        self.check_all_dumps(FULL)

    def test_a_dump_with_all_memory_and_its_map(self):
        self.check_all_dumps(FULL_AND_INFO)

    def test_memory_of_a_full_dump(self):
        things, document, _ = self.dump(FULL)
        self.assertEqual(vmscan.region_at(document, things["heap"].begin)["type"], "heap")
        begin, end = laws.span(vmscan.region_at(document, things["heap"].begin))
        self.assertTrue(begin <= things["block"].begin and things["block"].end <= end)
        for name in ("part", "code", "view"):
            usage = vmscan.usage_in(document, things[name].begin, things[name].end)
            self.assertEqual(usage["committed"], things[name].size, name)
        for address in (things["reserved"].begin, things["part"].end):  # reserved and never committed
            with self.assertRaises(AssertionError):
                vmscan.region_at(document, address)

    def test_sections_are_those_of_the_file(self):
        things, document, _ = self.dump(FULL)
        text = subprocess.run([vmscan.need("x86_64-w64-mingw32-objdump"), "-h", self.program], check=True,
                              capture_output=True, text=True).stdout
        expected = {}
        for words in (line.split() for line in text.splitlines()):
            if len(words) == 7 and words[0].isdigit():
                expected[words[1][:8]] = int(words[3], 16)
        image = vmscan.region_at(document, things["process"].begin)
        told = {block["details"]: laws.address(block) for block in image["blocks"]}
        self.assertEqual(told.pop("Header"), things["process"].begin)
        self.assertTrue(told)
        for name, address in told.items():
            if name.startswith("/"):  # a longer name, in a table of the file that is not loaded
                continue
            self.assertEqual(address, expected.get(name), name)

    def test_diff_of_two_dumps(self):
        _, _, normal = self.dump(NORMAL)
        _, _, full = self.dump(FULL)
        document = vmscan.document("diff", "--json", normal, full)
        added = {region["type"] for region in document["regions"] if region["change"] == "added"}
        self.assertIn("heap", added)


def minidump(streams):
    """A minidump with these streams, [(type, bytes or a function from its offset to bytes)]."""
    directory, body = b"", b""
    begin = 32 + 12 * len(streams)
    for kind, content in streams:
        content = content(begin + len(body)) if callable(content) else content
        directory += struct.pack("<III", kind, len(content[0] if isinstance(content, tuple) else content), begin + len(body))
        body += b"".join(content) if isinstance(content, tuple) else content
    head = struct.pack("<4sHHIIIIQ", b"MDMP", 0xA793, 0, len(streams), 32, 0, int(time.time()), 0)
    return head + directory + body


def threads_of(snapshot):
    """ThreadList: its records, and behind them contexts that hold nothing but a stack pointer."""
    threads = snapshot["threads"]

    def at(offset):
        records, contexts = struct.pack("<I", len(threads)), b""
        for thread in threads:
            context = offset + 4 + 48 * len(threads) + len(contexts)
            pointer = int(thread["stack_pointer"] or "0x0", 16)
            layout = "<152xQ1072x" if snapshot["target"]["pointer_bits"] == 64 else "<196xI516x"
            size = struct.calcsize(layout) if thread["stack_pointer"] else 0
            records += struct.pack("<IIIIQQIIII", thread["id"], 0, 0, 0, 0, 0, 0, 0, size, context)
            contexts += struct.pack(layout, pointer)
        return records, contexts

    return at


def modules_of(snapshot):
    """ModuleList of the images with build ids, and behind it their names and build ids."""
    images = [region for region in snapshot["regions"] if region["type"] == "image" and region.get("build_id")]

    def at(offset):
        records, texts = struct.pack("<I", len(images)), b""
        for image in images:
            name = image["details"].encode("utf-16-le")
            identity = struct.pack("<I", 0x4270454C) + bytes.fromhex(image["build_id"])
            behind = offset + 4 + 108 * len(images) + len(texts)
            texts += struct.pack("<I", len(name)) + name + identity
            records += struct.pack("<QIIII52xII8x16x", laws.address(image), image["size"], 0, 0, behind, len(identity),
                                   behind + 4 + len(name))
        return records, texts

    return at


def memory_of(pid):
    """Memory64List of all that can be read, and behind it the bytes."""
    pieces = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            addresses, rights = line.split()[:2]
            begin, end = (int(each, 16) for each in addresses.split("-"))
            if rights[0] == "r" and "[v" not in line:
                with contextlib.suppress(OSError):
                    memory.seek(begin)
                    pieces.append((begin, memory.read(end - begin)))

    def at(offset):
        records = struct.pack("<QQ", len(pieces), offset + 16 + 16 * len(pieces))
        records += b"".join(struct.pack("<QQ", begin, len(content)) for begin, content in pieces)
        return records, b"".join(content for _, content in pieces)

    return at


def dump_of(pid, snapshot, *more):
    """What Breakpad would write of a stopped process, as far as it is read, and more streams."""
    proc = pathlib.Path(f"/proc/{pid}")
    machine = {64: 9, 32: 0}[snapshot["target"]["pointer_bits"]]
    return minidump([
        (7, struct.pack("<HHHHIIIIIHHQQQ", machine, 0, 0, 0, 6, 0, 0, 0x8201, 0, 0, 0, 0, 0, 0)),
        (15, struct.pack("<IIIIII", 24, 1, pid, 0, 0, 0)),
        (0x47670009, (proc / "maps").read_bytes()),
        (0x47670004, (proc / "status").read_bytes()),
        (0x47670006, (proc / "cmdline").read_bytes()),
        (0x47670008, (proc / "auxv").read_bytes()),
        (3, threads_of(snapshot)),
        (4, modules_of(snapshot)),
        *more,
    ])


class Linux(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="vmscan-minidump-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    def compare(self, pid):
        """Regions, types, sizes and protections are those of the live process, and so are the rules as far as they need
        no memory; figures are equal or unknown."""
        path = f"{self.home}/process.dmp"
        with vmscan.stopped(pid):
            live = vmscan.snapshot(pid)
            pathlib.Path(path).write_bytes(dump_of(pid, live))
        dump = vmscan.snapshot(path)
        for key in ("pid", "name", "arguments", "pointer_bits"):
            self.assertEqual(dump["target"][key], live["target"][key], key)
        self.assertEqual(dump["threads"], [{**thread, "name": dump_thread["name"]}
                                           for thread, dump_thread in zip(live["threads"], dump["threads"])])
        shown = [self.regions(each) for each in (live, dump)]
        self.assertEqual(shown[0].keys(), shown[1].keys())
        unknown, by_memory = 0, 0
        for key, region in shown[0].items():
            rule = shown[1][key]["rule"]
            by_memory += rule != region["rule"]
            self.assertIn(rule, (region["rule"], *WITHOUT_MEMORY.get(region["rule"], ())), key)
            for column in ("committed", "private"):
                told = shown[1][key].get(column)
                unknown += told is None
                self.assertIn(told, (None, region[column]), f"{key} {column}")
            self.assertEqual([(block["address"], block["protection"]) for block in region["blocks"]],
                             [(block["address"], block["protection"]) for block in shown[1][key]["blocks"]], key)
        self.assertIn("minidump_pages_unknown", note_codes(dump))
        print(f"  {self.id().rpartition('.')[2]}: {len(shown[0])} regions, {by_memory} by memory alone, {unknown} figures "
              "unknown", flush=True)

    @staticmethod
    def regions(document):
        """Without what only a live system tells: vm.mmap_min_addr and the gap below the stack. Blocks that malloc mapped on
        their own are Private Data where only their headers tell of them, and the loader's memory is one with what touches it."""
        return joined({laws.span(region) + (region["type"] if region["rule"] != "malloc_block" else "private_data",
                                            region.get("build_id")): region
                       for region in document["regions"] if region["type"] not in ("free", "page_table", "unusable")})

    def test_threads(self):
        with vmscan.start("threads") as target:
            self.compare(target.pid)

    def test_arenas(self):
        with vmscan.start("heap_arenas") as target:
            self.compare(target.pid)

    def compare_owners(self, pid):
        """With all memory in it, a dump tells who owns what as the live process does: heaps to the block, and runtimes."""
        path = f"{self.home}/full.dmp"
        with vmscan.stopped(pid):
            live, heaps = vmscan.snapshot(pid), vmscan.document("heap", "--json", "--sizes", pid)
            pathlib.Path(path).write_bytes(dump_of(pid, live, (9, memory_of(pid))))
        shown = [self.regions(each) for each in (live, vmscan.snapshot(path))]
        owned = 0
        for key, region in shown[0].items():
            self.assertIn(key, shown[1])
            self.assertEqual(shown[1][key]["rule"], region["rule"], key)
            owned += region["type"] in ("heap", "managed_heap")
        self.assertGreater(owned, 0)
        of_dump = vmscan.document("heap", "--json", "--sizes", path)
        for figure in ("live", "cached", "free"):
            for unit in ("blocks", "bytes"):
                self.assertEqual(of_dump["total"][f"{figure}_{unit}"], heaps["total"][f"{figure}_{unit}"], f"{figure} {unit}")
        self.assertEqual([each["live_blocks"] for each in of_dump["sizes"]],
                         [each["live_blocks"] for each in heaps["sizes"]])
        print(f"  {self.id().rpartition('.')[2]}: {owned} regions of heaps and runtimes, "
              f"{of_dump['total']['live_blocks']} blocks in use", flush=True)

    def test_heaps_of_a_full_dump(self):
        with vmscan.start("heap_arenas") as target:
            self.compare_owners(target.pid)

    def test_a_runtime_of_a_full_dump(self):
        command = [sys.executable, "-c", "x = [str(i) for i in range(100_000)]; print(flush=True); open(0).read()"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(vmscan.end_tree, process)
        process.stdout.readline()
        self.compare_owners(process.pid)

    def test_memory_without_a_disk(self):
        with vmscan.start("memfd") as target:
            self.compare(target.pid)

    def test_a_32_bit_program(self):
        with vmscan.start("plain_32") as target:
            self.compare(target.pid)

    def test_a_chromium_renderer_that_crashed(self):
        vmscan.need_privilege()
        command = [vmscan.need("chromium"), *vmscan.CHROMIUM, f"--user-data-dir={self.home}/profile",
                   "--enable-crash-reporter", f"--crash-dumps-dir={self.home}/crashes", "about:blank"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={**os.environ, "BREAKPAD_DUMP_LOCATION": f"{self.home}/crashes"})
        self.addCleanup(vmscan.end_tree, process)
        time.sleep(5)
        renderers = [pid for pid in vmscan.tree(process.pid) if self.is_renderer(pid)]
        if not renderers:
            self.skipTest("chromium started no renderer")
        with vmscan.stopped(renderers[0]):
            live = vmscan.snapshot(renderers[0])
            os.kill(renderers[0], signal.SIGSEGV)
        crashes = pathlib.Path(self.home, "crashes", "pending")
        try:
            wait_for(lambda: list(crashes.glob("*.dmp")), 30, "no dump")
        except AssertionError:
            self.skipTest("chromium wrote no dump of its renderer")
        time.sleep(1)
        self.check_crashpad(live, vmscan.snapshot(next(crashes.glob("*.dmp"))))

    @staticmethod
    def is_renderer(pid):
        with contextlib.suppress(OSError):
            return b"--type=renderer" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        return False

    def check_crashpad(self, live, dump):
        """All that it tells is what the live process showed a moment before."""
        self.assertEqual(dump["target"]["pid"], live["target"]["pid"])
        self.assertEqual(dump["target"]["kind"], "minidump")
        self.assertLessEqual({thread["id"] for thread in dump["threads"]}, {thread["id"] for thread in live["threads"]})
        self.assertIn("signal 11", " ".join(note["message"] for note in dump["notes"]))
        images = {laws.address(region): region for region in live["regions"] if region["type"] == "image"}
        with_id = 0
        for region in dump["regions"]:
            if region["type"] == "image" and laws.address(region) in images:
                of_live = images[laws.address(region)].get("build_id")
                with_id += of_live is not None
                self.assertIn(of_live, (None, region.get("build_id")))  # nobody reads [vdso] in a live process
            if region["type"] == "stack":
                there = vmscan.region_at(live, laws.address(region))
                self.assertIn(there["type"], ("stack", "private_data"))
        self.assertGreater(with_id, 20)


if __name__ == "__main__":
    vmscan.main()

"""vmscan heap: what a terminal and other programs see of malloc's heaps; what it refuses and why."""

import csv
import io
import json
import pathlib
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from cli import BAD, DENIED, DONE, GONE, CommandLine

NOTHING = 1


def empty_minidump(pid):
    """A minidump of a Linux process with its maps and nothing of its memory."""
    maps = pathlib.Path(f"/proc/{pid}/maps").read_bytes()
    system = struct.pack("<HHHHIIIIIHHQQQ", 9, 0, 0, 0, 6, 0, 0, 0x8201, 0, 0, 0, 0, 0, 0)
    streams, body, begin = [(7, system), (0x47670009, maps)], b"", 32 + 2 * 12
    directory = b""
    for kind, content in streams:
        directory += struct.pack("<III", kind, len(content), begin + len(body))
        body += content
    return struct.pack("<4sHHIIIIQ", b"MDMP", 0xA793, 0, len(streams), 32, 0, int(time.time()), 0) + directory + body


class Heap(CommandLine):
    @classmethod
    def setUpClass(cls):
        cls.target = vmscan.start("blocks", 3, 2000)
        cls.addClassCleanup(cls.target.close)
        cls.target.step()
        cls.block = cls.target["block"]

    def document(self, *options):
        return vmscan.validate(json.loads(self.good("heap", "--json", *options, self.target.pid)))

    def rows(self, *options):
        return list(csv.DictReader(io.StringIO(self.text("heap", "--csv", *options, self.target.pid))))

    def test_a_table_of_the_heaps(self):
        for width in (80, 200):
            title, header, *rows = self.lines("heap", "--width", width, self.target.pid)[:7]
            self.assertTrue(title.startswith(f"blocks  pid {self.target.pid}"), title)
            self.assertEqual(header.split()[:4], ["Heap", "Size", "In", "RAM"])
            names = ["main arena", "arena 1", "arena 2", "mapped blocks", "Total"]
            self.assertEqual([row[:14].strip() for row in rows], names)
            self.assertLessEqual(max(map(len, (title, header, *rows))), width)

    def test_csv_and_json_tell_the_same_in_bytes(self):
        heaps = self.document()["heaps"]
        rows = self.rows()
        self.assertEqual([row["heap"] for row in rows], [heap["name"] for heap in heaps] + ["Total"])
        for row, heap in zip(rows, heaps):
            for column in ("size", "in_ram", "live_bytes", "live_blocks", "cached_bytes", "free_bytes", "overhead"):
                self.assertEqual(int(row[column]), heap[column], column)

    def test_sizes(self):
        sizes = self.document("--sizes")["sizes"]
        self.assertEqual([s["live_bytes"] for s in sizes], sorted((s["live_bytes"] for s in sizes), reverse=True))
        rows = self.rows("--sizes")
        self.assertEqual([int(row["size"]) for row in rows], [s["size"] for s in sizes])
        self.assertEqual(len(self.rows("--sizes", "--top", 3)), 3)
        text = self.text("heap", "--sizes", "--top", 3, self.target.pid)
        self.assertIn(f"and {len(sizes) - 3} other sizes (--top N shows more)\n", text)
        self.assertEqual(len(self.document("--sizes", "--top", 3)["sizes"]), 3)

    def test_blocks_of_one_size(self):
        blocks = self.document("--size", 100)["blocks"]
        rows = self.rows("--size", 100)
        self.assertEqual([(row["address"], int(row["size"]), row["state"], row["heap"]) for row in rows],
                         [(b["address"], b["size"], b["state"], b["heap"]) for b in blocks])
        self.assertEqual(self.lines("heap", "--size", 100, "--top", 2, self.target.pid)[1].split(),
                         ["Address", "Bytes", "State", "Heap", "Looks", "like", "Type", "or", "text"])

    def test_the_block_with_an_address(self):
        inside = hex(self.block.begin + 1)
        lines = self.lines("heap", "--address", inside, self.target.pid)
        self.assertEqual(lines[2].split()[:3], [hex(self.block.begin), str(self.block.size + 8), "live"])
        self.assertRegex(lines[3], rf"^{inside} is in the region at 0x[0-9a-f]+: Heap, main arena \(rule malloc_arena\)$")
        stack = hex(int(vmscan.snapshot(self.target.pid)["threads"][0]["stack_pointer"], 16))
        done = self.run_it("heap", "--address", stack, self.target.pid)
        self.assertEqual((done.returncode, done.stderr), (NOTHING, ""))
        self.assertIn(b": Stack, ", done.stdout)

    def test_no_block_of_a_size_is_exit_code_1(self):
        self.assertEqual(self.run_it("heap", "--size", 123457, self.target.pid).returncode, NOTHING)

    def test_options_that_make_no_sense(self):
        pid = self.target.pid
        self.fails(BAD, "--size and --address: choose one", "heap", "--size", 48, "--address", "0x10", pid)
        self.fails(BAD, "holds one table: choose", "heap", "--csv", "--sizes", "--size", 48, pid)
        self.fails(BAD, "--size 'many'", "heap", "--size", "many", pid)
        self.fails(BAD, "--address 'here'", "heap", "--address", "here", pid)
        self.fails(BAD, "--top '-1'", "heap", "--top", "-1", pid)
        self.fails(GONE, "", "heap", 4194304)

    def test_what_holds_no_memory(self):
        self.fails(BAD, "holds no memory", "heap", "small.json")
        path = self.directory / "empty.dmp"
        path.write_bytes(empty_minidump(self.target.pid))
        self.fails(BAD, "holds no memory", "heap", path)

    def test_a_process_without_a_known_allocator(self):
        with vmscan.start("no_allocator_musl_static") as target:
            done = self.run_it("heap", target.pid)
            self.assertEqual(done.returncode, DONE)
            self.assertRegex(done.stderr, r"\Avmscan: note: [^\n]*no heap was found: [^\n]+\n\Z")

    def test_denied(self):
        prefix = vmscan.as_nobody()
        with vmscan.start("blocks", 1, 10) as target:
            self.fails(DENIED, "root|CAP_SYS_PTRACE|permission", "heap", target.pid, prefix=prefix)

    def test_a_core_from_a_pipe(self):
        gcore = vmscan.need("gcore")
        subprocess.run([gcore, "-o", "core", str(self.target.pid)], cwd=self.directory, capture_output=True, check=True)
        core = self.directory / f"core.{self.target.pid}"
        told = json.loads(self.run_it("heap", "--json", "--sizes", "-", stdin=core.read_bytes()).stdout)
        self.assertEqual(vmscan.validate(told)["sizes"], self.document("--sizes")["sizes"])


if __name__ == "__main__":
    vmscan.main()

"""Cores larger than memory, and cores that were cut off."""

import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import laws
import vmscan
from cores import CoreTest

# 10 GiB of which 100 pages are touched, and 20,000 mappings of a page that cannot be merged.
BIG = """
import ctypes, mmap, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
anonymous, no_reserve = 0x22, 0x4000
big = libc.mmap(None, 10 << 30, 3, anonymous | no_reserve, -1, 0)
for i in range(100):
    ctypes.memset(big + i * (100 << 20), 1, 1)
for i in range(20000):
    libc.mmap(None, 4096, 3 if i % 2 else 1, anonymous, -1, 0)
print("ready", flush=True)
sys.stdin.read()
"""
ADDRESS_SPACE = 128 << 20  # bytes that vmscan may use for a core of any size, libraries included
PLACES = 1000


class CoreSizes(CoreTest):
    def test_ten_gibibytes(self):
        pid = self.start("/usr/bin/python3", "-c", BIG, wait=0, stdout=subprocess.PIPE)
        with self.processes[-1].stdout as output:
            self.assertEqual(output.readline(), b"ready\n")
        with vmscan.stopped(pid):
            live = vmscan.snapshot(pid)
            path = self.dump(pid)
        self.assertGreater(os.path.getsize(path), 10 << 30)
        print(f"  {os.path.getsize(path):,} bytes, {os.stat(path).st_blocks * 512:,} of them on disk", flush=True)
        limit = [vmscan.need("prlimit"), f"--as={ADDRESS_SPACE}"]
        summary = vmscan.summary(path, prefix=limit)
        self.assertEqual(vmscan.row(summary, "private_data")["size"],
                         sum(r["size"] for r in live["regions"] if r["type"] == "private_data"))
        self.assertGreater(summary["total"]["committed"], 10 << 30)

    def test_packed_and_from_a_pipe(self):
        """As systemd-coredump stores them, and as other programs hand them on."""
        with vmscan.start("threads", cwd=self.home) as target, vmscan.stopped(target.pid):
            path = self.dump(target.pid)
        content = pathlib.Path(path).read_bytes()
        expected = vmscan.snapshot(path)
        packed = {"gzip": gzip.compress(content, 1)}
        if shutil.which("zstd"):
            packed["zstd"] = subprocess.run(["zstd", "-c", path], check=True, capture_output=True).stdout
        for name, data in packed.items():
            with self.subTest(name):
                pathlib.Path(self.home, "packed").write_bytes(data)
                self.assert_same(vmscan.snapshot(f"{self.home}/packed"), expected)
                self.assert_same(self.from_stdin(data), expected)
                pathlib.Path(self.home, "cut").write_bytes(data[: len(data) // 2])
                codes = {note["code"] for note in vmscan.snapshot(f"{self.home}/cut")["notes"]}
                self.assertLessEqual({"spooled", "cut_frame", "core_truncated"}, codes)
        self.assert_same(self.from_stdin(content), expected)
        self.assertEqual(vmscan.snapshot(f"{path}@1"), expected)
        self.assertIn("the file holds 1", vmscan.run("summary", f"{path}@2").stderr)
        self.assertEqual([name for name in os.listdir(self.home) if name.startswith("vmscan")], [])

    def from_stdin(self, data):
        done = subprocess.run([vmscan.PROGRAM, "snapshot", "-"], input=data, capture_output=True, check=True,
                              env={**os.environ, "TMPDIR": self.home})
        return vmscan.validate(json.loads(done.stdout))

    def assert_same(self, document, expected):
        self.assertIn("spooled", {note["code"] for note in document["notes"]})
        for key in expected.keys() - {"notes"}:
            self.assertEqual(document[key], expected[key], key)

    def test_cut_off_anywhere(self):
        """From its end to its beginning; half of the places lie in the headers and notes."""
        with vmscan.start("threads", cwd=self.home) as target, vmscan.stopped(target.pid):
            path = self.dump(target.pid)
        size = os.path.getsize(path)
        head = min(size, 64 << 10)
        places = {whole * i // (PLACES // 2) for whole in (size, head) for i in range(PLACES // 2)}
        errors = 0
        for place in sorted(places, reverse=True):
            os.truncate(path, place)
            done = vmscan.run("details", "--json", path)
            with self.subTest(cut_off_at=place):
                if done.returncode:
                    errors += 1
                    self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
                    continue
                document = json.loads(done.stdout)
                self.assertFalse(laws.broken_laws(document))
                codes = {note["code"] for note in document["notes"]}
                self.assertTrue(codes & {"core_truncated", "core_headers_missing", "core_notes_broken"}, codes)
        print(f"  {len(places)} places, {errors} of them no core any more", flush=True)


if __name__ == "__main__":
    vmscan.main()

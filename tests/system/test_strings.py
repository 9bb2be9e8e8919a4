"""vmscan strings on processes that must not grow, and on processes that change or end while they are read."""

import contextlib
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import smaps
import vmscan

DONE, NOTHING, GONE = 0, 1, 3
WAYS = (["--count"], ["--jsonl"], ["--duplicates"], ["--unique", "--sort", "text"], ["--match", "vmscan"])


def in_ram_and_swap(pid):
    return [(str(m), m["Rss"], m["Swap"]) for m in smaps.smaps(pid)]


class Reading:
    """vmscan strings, held up after its first lines: nobody reads what it writes until drain()."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [vmscan.PROGRAM, "strings", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self.lines = [self.process.stdout.readline()]

    def drain(self):
        out, err = self.process.communicate(timeout=vmscan.TIMEOUT_S)
        self.lines += out.splitlines(keepends=True)
        return self.process.returncode, err.decode("utf-8")


class Kindness(unittest.TestCase):
    def assert_untouched(self, target):
        for way in WAYS:
            before = in_ram_and_swap(target.pid)
            done = vmscan.run("strings", *way, target.pid)
            self.assertIn(done.returncode, (DONE, NOTHING), done.stderr)
            self.assertEqual(in_ram_and_swap(target.pid), before, way)

    def test_nothing_comes_into_ram(self):
        for name in ("texts", "shared_file", "zero_pages", "guard_regions", "typical"):
            with self.subTest(name), vmscan.start(name) as target:
                self.assert_untouched(target)

    def test_swapped_pages_stay_in_swap(self):
        with vmscan.some_swap(), vmscan.start("swapped") as target:
            if not smaps.status_bytes(target.pid, "VmSwap"):
                self.skipTest("the kernel swapped nothing out")
            self.assert_untouched(target)

    def test_all_pages_does_not_read_what_is_nowhere(self):
        """Untouched memory is zeros: reading it would make the process grow."""
        with vmscan.start("texts") as target:
            before = smaps.status_bytes(target.pid, "VmRSS")
            where = target["untouched"]
            done = vmscan.run("strings", "--all-pages", "--count",
                              "--range", f"{where.begin:#x}-{where.end:#x}", target.pid)
            self.assertEqual(done.returncode, NOTHING)
            self.assertIn("nothing is in RAM, in swap or in a file", done.stderr)
            self.assertEqual(smaps.status_bytes(target.pid, "VmRSS"), before)


class Changing(unittest.TestCase):
    def test_memory_unmapped_meanwhile_is_counted_and_the_rest_is_found(self):
        with vmscan.start("texts", "lines") as target:
            lines, behind = target["lines"], target["behind"]
            reading = Reading("--jsonl", "-n", 10, "--range", f"{lines.begin:#x}-{behind.end:#x}", target.pid)
            target.step()
            code, said = reading.drain()
            self.assertEqual(code, DONE)
            self.assertRegex(said, r"note: 32,768 K may not be read or were gone when they were to be read")
            texts = [json.loads(line)["text"] for line in reading.lines]
            half = lines.number("count") // 2
            self.assertEqual(texts[:half], [f"line {i} of many in vmscan" for i in range(half)])
            self.assertEqual(texts[half:], ["behind the lines of vmscan"])

    def test_a_process_that_ends_meanwhile(self):
        for way, least in ((["--jsonl"], 1000), (["--format", "text", "--unique"], 1000)):
            with self.subTest(way), vmscan.start("texts", "lines") as target:
                lines = target["lines"]
                reading = Reading(*way, "--range", f"{lines.begin:#x}-{lines.end:#x}", target.pid)
                target.close()
                code, said = reading.drain()
                self.assertEqual(code, DONE)
                self.assertIn("what was found until then is shown", said)
                self.assertGreater(len(reading.lines), least)
                self.assertTrue(all(line.endswith(b"\n") for line in reading.lines))
                self.assertIn(b"line 999 of many", b"".join(reading.lines))

    def test_strict_says_that_something_is_missing(self):
        with vmscan.start("texts", "lines") as target:
            lines = target["lines"]
            reading = Reading("--strict", "--format", "text", "--range", f"{lines.begin:#x}-{lines.end:#x}", target.pid)
            target.close()
            self.assertEqual(reading.drain()[0], 5)

    def test_a_process_that_maps_and_unmaps_all_the_time(self):
        with vmscan.start("mapper") as target:
            for _ in range(20):
                done = vmscan.run("strings", "--count", target.pid)
                self.assertIn(done.returncode, (DONE, NOTHING), done.stderr)

    def test_processes_that_are_gone_before(self):
        target = vmscan.start("texts")
        with contextlib.closing(target):
            pid = target.pid
        done = vmscan.run("strings", pid)
        self.assertEqual((done.returncode, done.stdout), (GONE, b""))


if __name__ == "__main__":
    vmscan.main()

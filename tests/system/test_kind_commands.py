"""No command makes its target grow, swap in, share less or wait, whatever memory it has; and none waits for ever itself."""

import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import smaps
import vmscan

# A major fault of the target's own, or a page that the kernel merges or frees by itself, is not ours: nothing runs in
# the targets while they are looked at.
FIELDS = "Size Rss Anonymous Swap AnonHugePages KSM Locked".split()
SHARED = "Shared_Clean Shared_Dirty".split()

COMMANDS = (
    ("summary",),
    ("summary", "--json", "--full"),
    ("summary", "--explain"),
    ("details", "--columns", "+swap"),
    ("heap", "--types", "--sizes"),
    ("heap", "--size", "1500"),
    ("snapshot",),
    ("snapshot", "--heap", "--full"),
    ("strings", "--count"),
    ("strings", "--duplicates", "--limit", "5"),
    ("diff", "--heap", "--after", "10ms"),
)
ALL_PAGES = (("strings", "--all-pages", "--count"), ("heap", "--all-pages"))
LONGEST_S = 15  # of a command here; what does not answer is waited for two seconds, once for each file system


def faults(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    numbers = text[text.rindex(b")") + 2 :].split()
    return int(numbers[7]), int(numbers[9])


def condition(pid):
    """What the kernel says of all memory. Sharing of files depends on who else has mapped them: only that of anonymous
    memory counts."""
    mappings = []
    for mapping in smaps.smaps(pid):
        shared = sum(mapping[key] for key in SHARED) if mapping["Rss"] == mapping["Anonymous"] else None
        mappings.append((str(mapping), {key: mapping[key] for key in FIELDS}, shared))
    sums = [smaps.status_bytes(pid, key) for key in ("VmRSS", "VmSwap", "VmPTE")]
    return mappings, sums, faults(pid)


def look(pid, command):
    """Runs a command and returns what it said; it must end by itself, and not by a signal."""
    done = subprocess.run(
        [vmscan.PROGRAM, *command, str(pid)], stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_S, check=False
    )
    assert done.returncode >= 0, f"{command}: {done.returncode} {done.stderr}"
    return done


class Untouched(unittest.TestCase):
    maxDiff = 2000

    def assert_untouched(self, target, commands=COMMANDS):
        before = condition(target.pid)
        said = {}
        for command in commands:
            done = said[command] = look(target.pid, command)
            self.assertIn(done.returncode, (0, 1), f"{command}: {done.stderr.decode()}")
            self.assertEqual(condition(target.pid), before, f"after {' '.join(command)}")
        return said


class EveryCommand(Untouched):
    def test_untouched_blocks(self):
        with vmscan.start("untouched_block") as target:
            self.assert_untouched(target, COMMANDS + ALL_PAGES)

    def test_files_and_copies_of_them(self):
        with vmscan.start("shared_file") as target:
            self.assert_untouched(target, COMMANDS + ALL_PAGES)

    def test_a_reservation_of_a_terabyte(self):
        with vmscan.start("reservation") as target:
            self.assert_untouched(target, (*COMMANDS, ("strings", "--all-pages", "--count")))

    def test_memory_that_a_fork_shares(self):
        with vmscan.start("cow_fork") as target:
            self.assert_untouched(target, COMMANDS + ALL_PAGES)

    def test_memory_that_the_kernel_may_take(self):
        with vmscan.start("lazy_free") as target:
            free = sum(thing.size for thing in target.all("free") + target.all("free_in_block"))
            self.assert_untouched(target, COMMANDS + ALL_PAGES)
            # The kernel marks the last few of them later.
            self.assertGreaterEqual(sum(m["LazyFree"] for m in smaps.smaps(target.pid)), free - (64 << 12))

    def test_shared_memory_without_a_file(self):
        with vmscan.start("memfd") as target:
            self.assert_untouched(target, COMMANDS + ALL_PAGES)

    def test_huge_pages(self):
        with vmscan.start("thp") as target:
            self.assert_untouched(target, COMMANDS + ALL_PAGES)

    def test_locked_memory(self):
        with vmscan.start("mlock_pages") as target:
            self.assert_untouched(target, COMMANDS + ALL_PAGES)

    def test_guards_and_zero_pages(self):
        for name in ("guard_regions", "zero_pages"):
            with self.subTest(name), vmscan.start(name) as target:
                self.assert_untouched(target, COMMANDS + ALL_PAGES)

    def test_merged_pages(self):
        directory = pathlib.Path("/sys/kernel/mm/ksm")
        if not directory.exists():
            self.skipTest("this kernel has no KSM")
        vmscan.need_privilege()
        with vmscan.kernel_setting(directory / "sleep_millisecs", 10), vmscan.kernel_setting(
            directory / "pages_to_scan", 5000
        ), vmscan.kernel_setting(directory / "run", 1), vmscan.start("ksm") as target:
            same = target["same"]
            deadline = time.monotonic() + 30
            while {m.begin: m for m in smaps.smaps(target.pid)}[same.begin]["KSM"] < same.size:
                if time.monotonic() > deadline:
                    self.skipTest("the kernel merged nothing in 30 s")
                time.sleep(0.1)
            with vmscan.kernel_setting(directory / "run", 0):
                self.assert_untouched(target, COMMANDS + ALL_PAGES)


class Swapped(Untouched):
    def start(self):
        target = vmscan.start("swapped_heap", "x" * 40000)
        if smaps.status_bytes(target.pid, "VmSwap") < 16 << 20:
            target.close()
            self.skipTest("the kernel swapped too little out")
        return target

    def test_what_is_swapped_out_stays_so_and_is_told(self):
        with vmscan.some_swap(), self.start() as target:
            said = self.assert_untouched(target)
            for command in (("summary", "--explain"), ("heap", "--types", "--sizes")):
                message = said[command].stderr.decode()
                self.assertRegex(message, "swapped out", command)
                self.assertIn("--all-pages", message, command)
            heaps = vmscan.document("heap", "--json", target.pid)
            swapped = sum(thing.size for thing in target.all("swapped")[:1])
            self.assertGreater(sum(heap["unread"] for heap in heaps["heaps"]), swapped // 2)
            partial = look(target.pid, ("heap", "--strict"))
            self.assertEqual(partial.returncode, 5, partial.stderr)

    def test_who_asks_for_all_pages_gets_all_blocks(self):
        with vmscan.some_swap(), self.start() as target:
            heaps = vmscan.document("heap", "--all-pages", "--json", target.pid)["heaps"]
            self.assertGreaterEqual(sum(heap["live_blocks"] for heap in heaps), 20001)
            self.assertEqual([heap["unread"] for heap in heaps], [0] * len(heaps))


class NobodyAnswers(Untouched):
    """Memory of a userfaultfd(2), and a file system that takes requests and answers none."""

    def test_memory_that_a_userfaultfd_is_to_fill(self):
        with vmscan.start("userfault", "x" * 65536) as target:
            said = self.assert_untouched(target, COMMANDS + ALL_PAGES)
            self.assertIn("its arguments were not read", said[("summary",)].stderr.decode())

    def test_files_of_a_file_system_that_does_not_answer(self):
        if os.geteuid() != 0:
            self.skipTest("only root may mount")
        library = next(pathlib.Path("/usr/lib").glob("*/libstdc++.so.6"), pathlib.Path(vmscan.PROGRAM))
        with tempfile.TemporaryDirectory() as directory, vmscan.start("fuse_mapped", directory, library) as target:
            well = vmscan.details(target.pid)
            image = vmscan.region_at(well, target["code"].begin)
            self.assertEqual(image["details"].rpartition("/")[2], "library")
            target.step()
            before = condition(target.pid)
            with concurrent.futures.ThreadPoolExecutor(8) as together:  # each of them waits
                commands = COMMANDS + ALL_PAGES
                said = dict(zip(commands, together.map(lambda command: look(target.pid, command), commands)))
            self.assertEqual(condition(target.pid), before)
            for command, done in said.items():
                self.assertIn(done.returncode, (0, 1), f"{command}: {done.stderr.decode()}")
            self.assertRegex(said[("details", "--columns", "+swap")].stderr.decode(), "left out: its file system did not answer")

    def test_an_interrupt_ends_what_waits(self):
        if os.geteuid() != 0:
            self.skipTest("only root may mount")
        with tempfile.TemporaryDirectory() as directory, vmscan.start("fuse_mapped", directory, vmscan.PROGRAM) as target:
            target.step()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                process = subprocess.Popen(
                    [vmscan.PROGRAM, "details", str(target.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
                )
                time.sleep(0.5)
                begin = time.monotonic()
                process.send_signal(number)
                process.communicate(timeout=LONGEST_S)
                self.assertEqual(process.returncode, 128 + number)
                self.assertLess(time.monotonic() - begin, 2)


if __name__ == "__main__":
    vmscan.main()

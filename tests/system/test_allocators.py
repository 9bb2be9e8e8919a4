"""The walks over the heaps of other allocators than glibc's against what the target and the allocator themselves count."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import programs
import vmscan

THREADS, BLOCKS = 4, 20000
WORD = 8  # what the target adds to malloc_usable_size
# Sizes of musl's malloc in units of 16 bytes (src/malloc/mallocng/malloc.c), up to where a block may get pages of its own.
MUSL_CLASSES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 20, 25, 31, 36, 42, 50, 63)
NAMED = 0.95  # the part of anonymous memory in RAM that has an owner


def heap(target, *options):
    return vmscan.document("heap", "--json", *options, target)


def sizes(document, allocator, state="live"):
    return {
        size["size"]: size[f"{state}_blocks"]
        for size in document["sizes"]
        if size["allocator"] == allocator and size[f"{state}_blocks"]
    }


def difference(after, before):
    keys = {*after, *before}
    return {key: after.get(key, 0) - before.get(key, 0) for key in keys if after.get(key, 0) != before.get(key, 0)}


def told(target):
    figures = [{key: int(value) for key, value in thing.values.items()} for thing in target.all("size")]
    return {each["size"] - WORD: each["count"] for each in figures}


def own(document, allocator):
    return [each for each in document["heaps"] if each["allocator"] == allocator]


class Allocators(programs.StartsPrograms):
    def check_named(self, pid):
        """Anonymous memory in RAM belongs to somebody."""
        regions = [region for region in vmscan.details(pid)["regions"] if region["private_ws"]]
        nobody = sum(region["private_ws"] for region in regions if region["rule"] == "private_anonymous")
        named = sum(region["private_ws"] for region in regions if region["type"] in ("heap", "stack", "managed_heap"))
        self.assertGreaterEqual(named / (named + nobody), NAMED)

    def check_block(self, target, block, allocator):
        found = heap(target.pid, "--address", hex(block.begin + 1))
        listed = [(int(each["address"], 16), each["state"]) for each in found["blocks"]]
        self.assertEqual(listed, [(block.begin, "live")])
        if allocator == "mallocng" and found["region"]["type"] == "image":
            return  # musl's loader gives malloc what is left of the pages of data segments
        self.assertEqual((found["region"]["type"], found["region"]["rule"]), ("heap", "allocator_structures"))
        self.assertTrue(found["region"]["details"].startswith(allocator), found["region"])

    def check_preloaded(self, allocator):
        with vmscan.start("blocks", THREADS, BLOCKS, prefix=programs.preload(allocator)) as target:
            before = heap(target.pid, "--sizes")
            target.step()
            after = heap(target.pid, "--sizes")
            added = difference(sizes(after, allocator), sizes(before, allocator))
            self.assertEqual(added, told(target))
            self.assertFalse([n for n in after["notes"] if n["code"].startswith("heap_")], after["notes"])
            self.assertEqual(sum(each["unread"] for each in after["heaps"]), 0)
            self.check_block(target, target["block"], allocator)
            for big in target.all("mapped"):  # one of them is aligned: it may begin within its block
                (block,) = heap(target.pid, "--address", hex(big.begin))["blocks"]
                self.assertEqual(block["state"], "live")
                self.assertTrue(0 <= big.begin - int(block["address"], 16) <= block["size"] - big.size, block)
            self.check_listed(target, after, allocator)
            self.check_unchanged_in_core(target, after)

    def check_listed(self, target, document, allocator):
        """The blocks of one size, one by one, in each state."""
        size = next(each for each in document["sizes"] if each["allocator"] == allocator and each["live_blocks"] > 100)
        listed = heap(target.pid, "--size", size["most_request"])["blocks"]
        self.assertEqual(len({block["address"] for block in listed}), len(listed))
        for state in ("live", "cached", "free"):
            self.assertEqual(sum(block["state"] == state for block in listed), size[f"{state}_blocks"], state)

    def check_unchanged_in_core(self, target, lived):
        gcore = vmscan.need("gcore")
        with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
            subprocess.run([gcore, "-o", f"{home}/core", str(target.pid)], capture_output=True, check=True)
            dumped = heap(f"{home}/core.{target.pid}", "--sizes")
        self.assertEqual(dumped["sizes"], lived["sizes"])
        for before, after in zip(lived["heaps"], dumped["heaps"], strict=True):
            self.assertEqual({**after, "in_ram": before["in_ram"]}, before)

    def test_jemalloc(self):
        self.check_preloaded("jemalloc")

    def test_mimalloc(self):
        self.check_preloaded("mimalloc")

    def test_tcmalloc(self):
        self.check_preloaded("tcmalloc")

    def test_a_program_in_cpp_on_each(self):
        """Most of what a real program has in RAM is named, and glibc's idle malloc does not stand in the way."""
        for allocator in programs.ALLOCATORS:
            with self.subTest(allocator):
                prefix = programs.preload(allocator)
                pid = self.start(*prefix, vmscan.need("cmake"), "-P", self.write("busy.cmake", programs.CMAKE))
                self.check_named(pid)
                self.assertTrue(own(heap(pid), allocator))

    def check_musl(self, program):
        with vmscan.start(program, THREADS, BLOCKS) as target:
            before = heap(target.pid, "--sizes")
            target.step()
            after = heap(target.pid, "--sizes")
            requests = told(target)
            added = difference(sizes(after, "mallocng"), sizes(before, "mallocng"))
            self.assertEqual(sum(added.values()), sum(requests.values()))
            self.assertEqual(by_musl_class(added, lambda size: size), by_musl_class(requests, lambda size: size + 4))
            self.assertEqual(sum(each["unread"] + each["broken"] for each in after["heaps"]), 0)
            self.check_block(target, target["block"], "mallocng")
            self.check_listed(target, after, "mallocng")
            self.check_unchanged_in_core(target, after)

    def test_musl(self):
        self.check_musl("blocks_musl")

    def test_musl_in_a_static_program(self):
        self.check_musl("blocks_musl_static")

    def test_musl_that_never_frees(self):
        """Its blocks are not told apart, but what it has given is known to the byte."""
        with vmscan.start("bump_musl_static") as target:
            for _ in range(2):
                found = heap(target.pid, "--address", hex(target["last"].begin))
                (areas,) = found["heaps"]
                self.assertEqual((areas["allocator"], areas["live_bytes"]), ("musl", target["used"].size))
                self.assertEqual(areas["unread"] + areas["broken"], 0)
                self.assertEqual((found["region"]["rule"], found["region"]["details"]),
                                 ("allocator_structures", "musl bump area"))
                self.assertEqual(areas["size"], found["region"]["size"])
                self.assertEqual(found["heap_shortfalls"], [])
                target.step()
            self.check_unchanged_in_core(target, heap(target.pid, "--sizes"))

    def test_musl_that_never_frees_without_brk(self):
        """Of the areas that it mapped, only the last is known; that more may be missing is said."""
        with vmscan.start("bump_musl_static", "mapped") as target:
            found = heap(target.pid, "--address", hex(target["last"].begin))
            self.assertEqual(found["region"]["rule"], "allocator_structures")
            self.assertEqual({(each["allocator"], each["reason"], each["blocks"], each["bytes"])
                              for each in found["heap_shortfalls"]}, {("musl", "not_found", None, None)})

    def test_redis_counts_the_same(self):
        """`allocated` of INFO is what lives and what thread caches hold; the command itself moves it by some blocks."""
        pid = self.start_redis()
        socket = ["redis-cli", "-s", f"{self.home}/socket"]
        vmscan.need("redis-cli")
        script = (
            "for i=1,200000 do redis.call('set','key:'..i,string.rep('v',50)) end "
            "for i=1,60000 do redis.call('del','key:'..i*3) end "
            "for i=1,2000 do redis.call('set',i,string.rep('x',i*9)) end"
        )
        subprocess.run([*socket, "eval", script, "0"], check=True, capture_output=True)
        info = subprocess.run([*socket, "info", "memory"], check=True, capture_output=True, text=True).stdout
        if "mem_allocator:jemalloc" not in info:
            raise unittest.SkipTest("this redis was built without jemalloc")
        allocated = int(re.search(r"allocator_allocated:(\d+)", info).group(1))
        jemalloc = own(heap(pid), "jemalloc")
        self.assertAlmostEqual(sum(each["live_bytes"] + each["cached_bytes"] for each in jemalloc), allocated,
                               delta=allocated * 0.01)
        self.check_named(pid)

    def test_the_target_does_not_notice(self):
        """No page comes into RAM, however often its heaps are walked."""
        for allocator in programs.ALLOCATORS:
            with self.subTest(allocator), vmscan.start("blocks", 2, 2000, prefix=programs.preload(allocator)) as target:
                target.step()
                before = counters_of(target.pid)
                for _ in range(3):
                    heap(target.pid, "--sizes")
                    vmscan.summary(target.pid)
                self.assertEqual(counters_of(target.pid), before)


def by_musl_class(counts, end_of):
    """Blocks by pairs of neighbouring classes: while there are few blocks, the larger one serves for both."""
    found = {}
    for size, count in counts.items():
        units = -(-end_of(size) // 16)
        index = next((i for i, each in enumerate(MUSL_CLASSES) if each >= units), None)
        if index is None:
            continue
        pair = index | 1 if index >= 4 else index
        found[pair] = found.get(pair, 0) + count
    return {pair: count for pair, count in found.items() if count}


def counters_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return {"minor faults": fields[7], "major faults": fields[9], "rss": fields[21]}


if __name__ == "__main__":
    vmscan.main()

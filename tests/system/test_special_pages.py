"""Special pages, one target program each: what vmscan shows is what the program made and what smaps says."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import compare
import smaps
import vmscan
from vmscan import PAGE

MIB = 1 << 20


@contextlib.contextmanager
def hugetlb_pages(count):
    """At least that many free hugetlb pages of 2 MiB."""
    pool = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
    if not pool.exists():
        raise unittest.SkipTest("no hugetlb pages of 2 MiB on this machine")
    if int((pool / "free_hugepages").read_text(encoding="ascii")) >= count:
        yield
        return
    vmscan.need_privilege()
    size = int((pool / "nr_hugepages").read_text(encoding="ascii")) + count
    with vmscan.kernel_setting(pool / "nr_hugepages", size):
        yield


@contextlib.contextmanager
def running_ksm():
    directory = pathlib.Path("/sys/kernel/mm/ksm")
    if not directory.exists():
        raise unittest.SkipTest("this kernel has no KSM")
    vmscan.need_privilege()
    with vmscan.kernel_setting(directory / "sleep_millisecs", 10), vmscan.kernel_setting(
        directory / "pages_to_scan", 5000
    ), vmscan.kernel_setting(directory / "run", 1):
        yield


class SpecialPages(unittest.TestCase):
    def look(self, target, pid=None):
        """The details of the stopped target, after a comparison of all of it with smaps."""
        pid = pid or target.pid
        with vmscan.stopped(pid):
            compare.assert_equal(self, pid, target.name)
            return vmscan.details(pid, "--columns", "+swap")

    def assert_usage(self, document, thing, **expected):
        """Checks columns of the blocks that make up the thing; in bytes."""
        usage = vmscan.usage_in(document, thing.begin, thing.end)
        found = {column: usage[column] for column in expected}
        self.assertEqual(found, expected, f"{thing.name} {thing.begin:#x}-{thing.end:#x}")

    def assert_state(self, document, thing, state, protection):
        for block in vmscan.blocks_in(document, thing.begin, thing.end):
            self.assertEqual((block["state"], block["protection"]), (state, protection), thing.name)

    # -- copy on write

    def test_pages_of_a_fork_are_shared_until_one_side_writes(self):
        pages = 64 * PAGE
        with vmscan.start("cow_fork") as target:
            forked, child = target["forked"], target["child"].number("pid")
            for pid in (target.pid, child):
                self.assert_usage(
                    self.look(target, pid), forked, committed=pages, private=pages, total_ws=pages, private_ws=0,
                    shareable_ws=pages, shared_ws=pages,
                )
            target.step()
            written = target["written"].size
            for pid in (target.pid, child):
                self.assert_usage(
                    self.look(target, pid), forked, total_ws=pages, private_ws=written,
                    shareable_ws=pages - written, shared_ws=pages - written,
                )
            target.step()
            self.assert_usage(self.look(target), forked, total_ws=pages, private_ws=pages, shared_ws=0)

    # -- zero pages

    @staticmethod
    def kernel_counts(target, thing):
        """What smaps says is in RAM of a mapping, in bytes."""
        return sum(m.resident for m in smaps.smaps(target.pid) if thing.begin <= m.begin and m.end <= thing.end)

    def need_zero_page(self, target, thing, written):
        """SkipTest where a page that is read for the first time is one of its own, as under some hypervisors."""
        if self.kernel_counts(target, thing) != written:
            self.skipTest("this kernel maps no shared zero page: only equality with smaps was tested")

    def test_zero_pages_are_not_in_ram(self):
        with vmscan.start("zero_pages") as target:
            document = self.look(target)
            thing, mixed = target["zero_4k"], target["zero_mixed"]
            in_ram = self.kernel_counts(target, thing)
            self.assert_usage(document, thing, committed=thing.size, private=thing.size, total_ws=in_ram, swap=0)
            in_ram = self.kernel_counts(target, mixed)
            self.assert_usage(document, mixed, total_ws=in_ram, private_ws=in_ram, shared_ws=0)
            self.need_zero_page(target, mixed, mixed.number("written"))

    def test_the_huge_zero_page_is_not_in_ram(self):
        setting = pathlib.Path("/sys/kernel/mm/transparent_hugepage/use_zero_page")
        if not setting.exists() or setting.read_text(encoding="ascii").strip() != "1":
            self.skipTest("this kernel maps no huge zero page")
        with vmscan.start("zero_pages") as target:
            thing = target["zero_huge"]
            in_ram = self.kernel_counts(target, thing)
            self.assert_usage(self.look(target), thing, committed=thing.size, total_ws=in_ram, swap=0)
            self.need_zero_page(target, thing, 0)

    def test_zero_pages_are_left_out_without_root_too(self):
        nobody = vmscan.as_nobody()
        with vmscan.start("zero_pages", prefix=nobody) as target, vmscan.stopped(target.pid):
            require_readable(nobody)
            document = vmscan.details(target.pid, prefix=nobody)
            for name in ("zero_4k", "zero_mixed"):
                self.assert_usage(document, target[name], total_ws=self.kernel_counts(target, target[name]))
            resident = sum(mapping.resident for mapping in smaps.smaps(target.pid))
            self.assertEqual(vmscan.summary(target.pid, prefix=nobody)["total"]["total_ws"], resident)
            self.need_zero_page(target, target["zero_mixed"], target["zero_mixed"].number("written"))

    # -- guards

    def test_guard_regions_are_reserved_and_not_swap(self):
        with vmscan.start("guard_regions") as target:
            document = self.look(target)
            guarded = target["guarded"]
            written = guarded.number("written")
            self.assert_usage(document, guarded, committed=written, total_ws=written, private_ws=written, swap=0)
            for name in ("guard", "untouched_guard"):
                guard = target[name]
                self.assert_usage(document, guard, committed=0, private=0, total_ws=0, swap=0)
                blocks = vmscan.blocks_in(document, guard.begin, guard.end)
                self.assertEqual(len(blocks), 1, name)
                self.assertEqual(blocks[0]["state"], "reserved", name)
                self.assertTrue(blocks[0]["protection"].endswith("/Guard"), blocks[0]["protection"])

    def test_an_inaccessible_page_before_memory_is_in_the_same_region(self):
        with vmscan.start("guard_regions") as target:
            document = self.look(target)
            guard, behind = target["prot_none_guard"], target["behind_prot_none"]
            self.assert_usage(document, guard, committed=0, private=0, total_ws=0)
            self.assert_usage(document, behind, committed=behind.size, total_ws=behind.size)
            self.assertEqual(vmscan.block_at(document, guard.begin)["state"], "reserved")
            self.assertEqual(
                vmscan.region_at(document, guard.begin)["address"], vmscan.region_at(document, behind.begin)["address"]
            )

    # -- locked

    def test_locked_pages_are_counted_where_they_are_in_ram(self):
        with vmscan.start("mlock_pages") as target:
            document = self.look(target)
            locked, on_fault, shared = target["locked"], target["on_fault"], target["locked_shared"]
            self.assert_usage(document, locked, total_ws=locked.size, locked_ws=locked.size)
            touched = on_fault.number("touched")
            self.assert_usage(document, on_fault, total_ws=touched, locked_ws=touched)
            self.assert_usage(document, shared, total_ws=shared.size, locked_ws=shared.size, private_ws=0)
            self.assert_usage(document, target["not_locked"], locked_ws=0)
            total = vmscan.summary(target.pid)["total"]
            self.assertEqual(total["locked_ws"], locked.size + touched + shared.size)

    def test_pinned_memory_stands_beside_what_is_locked_where_there_is_any(self):
        with vmscan.start("pinned") as target:
            limits = vmscan.summary(target.pid)["limits"]
            self.assertEqual(limits["pinned"]["used"], target["pinned"].size)
            self.assertEqual(limits["locked"]["used"], 0)
            self.assertEqual(limits["pinned"]["limit"], limits["locked"]["limit"])
            text = vmscan.run("summary", target.pid).stdout.decode()
            limited = not limits["pinned"]["unlimited"]
            self.assertEqual(f"pinned {target['pinned'].size >> 10:,} of " in text, limited)
        with vmscan.start("mlock_pages") as target:
            self.assertNotIn("pinned", vmscan.run("summary", target.pid).stdout.decode())

    # -- swap

    def test_swapped_pages_private_and_shared(self):
        with vmscan.some_swap(), vmscan.start("swapped") as target:
            kernel = {m.begin: m for m in smaps.smaps(target.pid)}
            out = kernel[target["swapped"].begin]["Swap"]
            if not out:
                self.skipTest("the kernel swapped nothing out")
            document = self.look(target)
            unasked = vmscan.usage_in(vmscan.details(target.pid), *ends(target["swapped_shared"]))
            self.assertIsNone(unasked["swap"], "only smaps knows, and nobody asked for it")
            for name in ("swapped", "swapped_partly", "swapped_shared"):
                thing = target[name]
                mapping = kernel[thing.begin]
                self.assert_usage(
                    document, thing, swap=mapping["Swap"], total_ws=mapping["Rss"], committed=thing.size
                )
            back = target["swapped_partly"].number("back")
            self.assertGreaterEqual(vmscan.usage_in(document, *ends(target["swapped_partly"]))["total_ws"], back)

    # -- huge pages

    def test_hugetlb_pages_are_counted(self):
        with hugetlb_pages(6), vmscan.start("hugetlb") as target:
            document = self.look(target)
            own = target["hugetlb_private"]
            self.assert_usage(
                document, own, total_ws=own.size, hugetlb=own.size, private_ws=own.size, shareable_ws=0
            )
            for name in ("hugetlb_shared", "hugetlb_sysv"):
                thing = target[name]
                touched = thing.number("touched")
                self.assert_usage(
                    document, thing, total_ws=touched, hugetlb=touched, private_ws=0, shareable_ws=touched, shared_ws=0
                )
                self.assertEqual(vmscan.region_at(document, thing.begin)["type"], "shareable")

    def test_transparent_huge_pages_whole_holed_split_and_forked(self):
        with vmscan.start("thp") as target:
            child = target["child"].number("pid")
            document = self.look(target)
            for name in ("whole", "before_hole", "behind_hole", "split"):
                thing = target[name]
                self.assert_usage(document, thing, total_ws=thing.size, private_ws=thing.size, shared_ws=0)
            for pid in (target.pid, child):
                thing = target["forked"]
                self.assert_usage(
                    self.look(target, pid), thing, total_ws=thing.size, private_ws=0, shared_ws=thing.size
                )

    def test_a_huge_page_partly_dropped_by_a_child_keeps_its_total(self):
        """Only the total: of such a page, bit 56 of all pages follows the first one, so smaps' Private differs."""
        with vmscan.start("thp") as target:
            target.step()
            dropped, hole = target["dropped"], target["dropped_in_child"]
            child = target["child"].number("pid")
            with vmscan.stopped(target.pid, child):
                self.assert_usage(vmscan.details(target.pid), dropped, total_ws=dropped.size)
                self.assert_usage(vmscan.details(child), dropped, total_ws=dropped.size - hole.size)

    # -- same-page merging

    def test_merged_pages_are_shared(self):
        with running_ksm(), vmscan.start("ksm") as target:
            same, different = target["same"], target["different"]
            deadline = time.monotonic() + 30
            while {m.begin: m for m in smaps.smaps(target.pid)}[same.begin]["KSM"] < same.size:
                if time.monotonic() > deadline:
                    self.skipTest("the kernel merged nothing in 30 s")
                time.sleep(0.1)
            document = self.look(target)
            self.assert_usage(document, same, total_ws=same.size, private_ws=0, shared_ws=same.size)
            self.assert_usage(document, different, total_ws=different.size, private_ws=different.size)

    # -- shared memory and files

    def test_memory_without_a_file_on_disk(self):
        with vmscan.start("memfd") as target:
            document = self.look(target)
            shared = target["memfd_shared"]
            touched = shared.number("touched")
            self.assert_usage(
                document, shared, committed=shared.size, private=0, total_ws=touched, private_ws=0,
                shareable_ws=touched, shared_ws=0,
            )
            own = target["memfd_private"]
            copied = own.number("copied")
            self.assert_usage(
                document, own, private=own.size, total_ws=own.size, private_ws=copied,
                shareable_ws=own.size - copied, shared_ws=0,
            )
            for name in ("sysv", "dev_shm", "shared_anonymous"):
                thing = target[name]
                self.assert_usage(
                    document, thing, private=0, total_ws=thing.size, private_ws=0, shareable_ws=thing.size, shared_ws=0
                )

    def test_files_mapped_by_two_processes_twice_by_one_and_once(self):
        with vmscan.start("shared_file") as target:
            document = self.look(target)
            size = target["single"].size
            for name in ("shared_in_two", "twice_a", "twice_b"):
                self.assert_usage(document, target[name], total_ws=size, private=0, private_ws=0, shared_ws=size)
            self.assert_usage(document, target["single"], total_ws=size, private_ws=0, shareable_ws=size, shared_ws=0)
            copied = target["private_in_two"].number("copied")
            self.assert_usage(
                document, target["private_in_two"], private=size, total_ws=size, private_ws=copied,
                shared_ws=size - copied,
            )
            self.assert_usage(
                document, target["single_private"], private=size, total_ws=size, private_ws=copied,
                shareable_ws=size - copied, shared_ws=0,
            )

    # -- read-only after relocation, inaccessible after use

    def test_the_private_bytes_of_relro_are_its_copied_pages(self):
        with vmscan.start("relro") as target:
            document = self.look(target)
            begin, end = target["data_rel_ro"].begin, target["data_rel_ro"].end
            block = vmscan.block_at(document, begin)
            self.assertEqual(block["protection"], "Read")
            low, high = int(block["address"], 16), int(block["address"], 16) + block["size"]
            inside = [m for m in smaps.smaps(target.pid) if m.begin < high and low < m.end]
            self.assertEqual((inside[0].begin, inside[-1].end), (low, high), "the block is whole mappings")
            anonymous = sum(mapping["Anonymous"] for mapping in inside)
            self.assertGreaterEqual(anonymous, (end - begin) // PAGE * PAGE, "the loader wrote the pages")
            self.assertEqual(block["private"], anonymous)
            self.assertEqual(block["private_ws"], anonymous)

    def test_inaccessible_memory_counts_the_pages_it_still_has(self):
        with vmscan.start("prot_none_after_use") as target:
            document = self.look(target)
            for name in ("used", "half_closed"):
                thing = target[name]
                self.assert_usage(
                    document, thing, committed=thing.size, private=thing.size, total_ws=thing.size,
                    private_ws=thing.size,
                )
                self.assert_state(document, thing, "reserved", "No access")
            self.assert_state(document, target["half_open"], "committed", "Read/Write")
            never = target["never_used"]
            self.assert_usage(document, never, committed=0, private=0, total_ws=0)
            self.assert_state(document, never, "reserved", "No access")


def ends(thing):
    return thing.begin, thing.end


def require_readable(prefix):
    """SkipTest when that user cannot even run vmscan (it lies in a directory of somebody else's)."""
    if subprocess.run([*prefix, vmscan.PROGRAM, "--version"], capture_output=True, check=False).returncode != 0:
        raise unittest.SkipTest(f"another user cannot run {vmscan.PROGRAM}")


if __name__ == "__main__":
    vmscan.main()

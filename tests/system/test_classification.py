"""What each region is: targets whose layout is known, by the addresses that they print."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import compare
import laws
import smaps
import vmscan
from vmscan import PAGE

TIB = 1 << 40
GLIBC_HEAP = 64 << 20  # a secondary arena's heaps are 64 MiB, aligned to it (HEAP_MAX_SIZE)


def rounded_up(address):
    return (address + PAGE - 1) // PAGE * PAGE


class Classification(unittest.TestCase):
    def look(self, target):
        with vmscan.stopped(target.pid):
            compare.assert_equal(self, target.pid, target.name)
            return vmscan.details(target.pid)

    def assert_type(self, document, address, *types):
        region = vmscan.region_at(document, address)
        self.assertIn(region["type"], types, f"{address:#x}: rule {region['rule']}, {region['details']!r}")
        return region

    def assert_spans(self, region, begin, end):
        low, high = laws.span(region)
        self.assertEqual((hex(low), hex(high)), (hex(begin), hex(end)), region["details"])

    # -- heaps

    def test_the_brk_heap_is_a_heap(self):
        with vmscan.start("heap_arenas") as target:
            document = self.look(target)
            region = self.assert_type(document, target["main_heap"].begin, "heap")
            self.assertEqual((region["rule"], region["details"]), ("malloc_arena", "main arena"))
            mapping = next(m for m in smaps.maps(target.pid) if m.path == b"[heap]")
            self.assert_spans(region, mapping.begin, mapping.end)

    def test_each_secondary_arena_is_a_heap_with_its_reserved_tail(self):
        with vmscan.start("heap_arenas") as target:
            document = self.look(target)
            begins = set()
            for arena in target.all("arena"):
                begin = arena.begin // GLIBC_HEAP * GLIBC_HEAP
                region = self.assert_type(document, arena.begin, "heap")
                self.assert_spans(region, begin, begin + GLIBC_HEAP)
                self.assertEqual(region["blocks"][-1]["state"], "reserved")
                begins.add(begin)
            self.assertEqual(len(begins), 4)

    def test_a_block_with_a_mapping_of_its_own_is_a_heap(self):
        with vmscan.start("heap_arenas") as target:
            document = self.look(target)
            region = self.assert_type(document, target["mapped_chunk"].begin + PAGE, "heap")
            self.assertEqual(region["rule"], "malloc_block")
            begin = target["mapped_chunk"].begin // PAGE * PAGE
            self.assert_spans(region, begin, rounded_up(target["mapped_chunk"].end))

    # -- stacks

    def test_blocked_threads_have_their_stack_and_its_guard(self):
        with vmscan.start("threads", 8) as target:
            document = self.look(target)
            seen = set()
            for thread in target.all("thread"):
                region = self.assert_type(document, thread.end - 1, "stack")
                begin, end = laws.span(region)
                self.assertLessEqual(begin, thread.begin - thread.number("guard"), "the guard belongs to it")
                self.assertGreaterEqual(end, thread.end)
                self.assertIn(thread.values["tid"], region["details"])
                self.assertIn(thread.values["name"].replace("_", " "), region["details"])
                self.assertEqual(vmscan.block_at(document, thread.begin - 1)["state"], "reserved")
                seen.add(begin)
            self.assertEqual(len(seen), 8, "every thread has a region of its own")

    def test_the_main_stack_carries_the_main_thread(self):
        with vmscan.start("threads", 2) as target:
            document = self.look(target)
            mapping = next(m for m in smaps.maps(target.pid) if m.path == b"[stack]")
            region = self.assert_type(document, mapping.begin, "stack")
            self.assertIn(str(target.pid), region["details"])

    def test_spinning_threads_have_their_stacks_like_blocked_ones(self):
        with vmscan.start("threads", 8, "spin") as target:
            document = vmscan.details(target.pid)  # not stopped: a stopped thread spins no more
            for thread in target.all("thread"):
                self.assert_type(document, thread.end - 1, "stack")

    # -- images and files

    def test_a_library_loaded_twice_is_two_images_and_its_whole_mapping_a_file(self):
        with vmscan.start("dup_load") as target:
            document = self.look(target)
            first, second = target["first_load"], target["second_load"]
            regions = [self.assert_type(document, thing.begin, "image") for thing in (first, second)]
            for thing, region in zip((first, second), regions):
                self.assert_spans(region, thing.begin, rounded_up(thing.end))
            self.assertEqual(regions[0]["details"], regions[1]["details"])
            self.assertTrue(regions[0]["details"].endswith("libm.so.6"), regions[0]["details"])
            self.assertTrue(regions[0]["build_id"])
            self.assertEqual(regions[0]["build_id"], regions[1]["build_id"])
            whole = target["whole_file"]
            self.assert_spans(
                self.assert_type(document, whole.begin, "mapped_file"), whole.begin, rounded_up(whole.end)
            )

    def test_a_program_is_one_image_from_text_to_bss(self):
        with vmscan.start("relro") as target:
            document = self.look(target)
            regions = [
                self.assert_type(document, target[name].begin, "image")
                for name in ("text", "rodata", "data_rel_ro", "data", "bss")
            ]
            self.assertEqual(len({region["address"] for region in regions}), 1)
            self.assertTrue(regions[0]["details"].endswith("/relro"), regions[0]["details"])
            protections = {
                name: vmscan.block_at(document, target[name].begin)["protection"] for name in ("text", "rodata", "bss")
            }
            self.assertEqual(protections["text"], "Execute/Read")
            self.assertEqual(protections["rodata"], "Read")
            self.assertIn(protections["bss"], ("Read/Write", "Copy on write"))
            bss = target["bss"]
            self.assertGreaterEqual(laws.span(regions[0])[1], bss.end)
            self.assertGreaterEqual(regions[0]["private_ws"], bss.number("touched"))

    def test_a_static_program(self):
        with vmscan.start("plain_static") as target:
            document = self.look(target)
            self.assert_type(document, target["text"].begin, "image")
            image = self.assert_type(document, target["bss"].begin, "image")
            self.assertGreaterEqual(laws.span(image)[1], target["bss"].end)
            self.assert_type(document, target["heap"].begin, "heap")

    def test_a_32_bit_program(self):
        with vmscan.start("plain_32") as target:
            document = self.look(target)
            self.assertEqual(document["target"]["pointer_bits"], 32)
            self.assert_type(document, target["heap"].begin, "heap")
            self.assert_type(document, target["main_stack"].begin, "stack")
            stacks = [r for r in document["regions"] if r["type"] == "stack"]
            tid = target["thread"].values["tid"]
            self.assertTrue(any(tid in region["details"] for region in stacks), [r["details"] for r in stacks])

    def test_the_kernels_own_pages(self):
        with vmscan.start("relro") as target:
            document = self.look(target)
            for mapping in smaps.maps(target.pid):
                if mapping.path == b"[vdso]":
                    self.assert_type(document, mapping.begin, "image")
                if mapping.path.startswith(b"[vvar"):
                    self.assert_type(document, mapping.begin, "shareable")

    def test_names_of_files_survive(self):
        with vmscan.start("odd_names") as target:
            document = self.look(target)
            for thing in target.things:
                with self.subTest(thing.name):
                    path = bytes.fromhex(thing.values["path_hex"]).decode("utf-8", "replace")
                    region = self.assert_type(document, thing.begin, "mapped_file")
                    self.assertTrue(region["details"].startswith(path), (region["details"], path))
                    rest = region["details"][len(path) :]
                    self.assertEqual("deleted" in rest, thing.values["deleted"] == "1", region["details"])

    # -- shareable memory

    def test_memory_without_a_file_on_disk_is_shareable(self):
        with vmscan.start("memfd") as target:
            document = self.look(target)
            for name in ("memfd_shared", "sysv", "dev_shm", "shared_anonymous"):
                with self.subTest(name):
                    self.assert_type(document, target[name].begin, "shareable")
            self.assert_type(document, target["memfd_private"].begin, "shareable", "private_data")
            self.assertIn("shared name", vmscan.region_at(document, target["memfd_shared"].begin)["details"])
            path = target["dev_shm"].values["path"]
            self.assertIn(path, vmscan.region_at(document, target["dev_shm"].begin)["details"])

    def test_a_mapped_file_is_a_mapped_file(self):
        with vmscan.start("shared_file") as target:
            document = self.look(target)
            for name in ("shared_in_two", "private_in_two", "twice_a", "single"):
                region = self.assert_type(document, target[name].begin, "mapped_file")
                self.assertIn("deleted", region["details"])

    # -- anonymous memory

    def test_a_terabyte_of_reservation(self):
        with vmscan.start("reservation") as target:
            document = self.look(target)
            closed, sparse = target["inaccessible"], target["sparse"]
            usage = vmscan.usage_in(document, closed.begin, closed.end)
            self.assertEqual((usage["committed"], usage["private"], usage["total_ws"]), (0, 0, 0))
            usage = vmscan.usage_in(document, sparse.begin, sparse.end)
            self.assertEqual((usage["committed"], usage["private"]), (TIB, TIB))
            self.assertEqual(usage["total_ws"], sparse.number("touched"))
            self.assert_type(document, sparse.begin, "private_data")

    def test_names_of_anonymous_memory_are_shown(self):
        with vmscan.start("named_vma") as target:
            document = self.look(target)
            for thing in target.things:
                region = vmscan.region_at(document, thing.begin)
                shown = region["details"] + "".join(block["details"] for block in region["blocks"])
                self.assertIn(thing.values["vma"].replace("_", " "), shown)

    def test_touching_anonymous_mappings_are_one_region(self):
        with vmscan.start("many_mappings", 1000) as target:
            document = self.look(target)
            thing = target["mappings"]
            region = self.assert_type(document, thing.begin, "private_data")
            self.assert_spans(region, thing.begin, thing.end)
            self.assertEqual(len(region["blocks"]), thing.number("count"))

    def test_mappings_with_holes_between_are_regions_of_their_own(self):
        with vmscan.start("many_mappings", 1000, "holes") as target:
            document = self.look(target)
            thing = target["mappings"]
            inside = [r for r in document["regions"] if thing.begin <= (laws.address(r) or 0) < thing.end]
            self.assertEqual(len([r for r in inside if r["type"] == "private_data"]), thing.number("count"))

    # -- the rest of the address space

    def test_free_memory_fills_every_gap(self):
        with vmscan.start("relro") as target, vmscan.stopped(target.pid):
            document = vmscan.details(target.pid, "--free")
            spans = [laws.span(r) for r in document["regions"] if laws.address(r) is not None]
            spans = [span for span in spans if span[0] < 1 << 63]  # not [vsyscall]
            for before, after in zip(spans, spans[1:]):
                self.assertEqual(hex(before[1]), hex(after[0]))
            self.assertEqual(spans[0][0], 0)
            self.assertIn("free", {region["type"] for region in document["regions"]})
            self.assertEqual(vmscan.details(target.pid)["regions"], [
                region for region in document["regions"] if region["type"] != "free"
            ])

    def test_the_rows_are_the_sums_of_the_regions_of_a_snapshot(self):
        with vmscan.start("heap_arenas") as target, vmscan.stopped(target.pid):
            summary = vmscan.summary(target.pid)
            for regions in (vmscan.details(target.pid), vmscan.snapshot(target.pid)):
                self.assertEqual(laws.broken_between(summary, regions), [])


if __name__ == "__main__":
    vmscan.main()

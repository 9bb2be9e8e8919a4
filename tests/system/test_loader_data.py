"""What the dynamic loader has made before there was a malloc, and memory that only holds some of its structures."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import cores
import laws
import vmscan


class LoaderData(cores.CoreTest):
    def check(self, target, document):
        loader = [laws.span(region) for region in document["regions"] if region["rule"] == "loader_data"]
        for piece in target.all("piece"):
            for begin, end in loader:
                self.assertTrue(end <= piece.begin or begin >= piece.end, f"{begin:#x}-{end:#x} has memory of {piece}")
        # The first ones are in ld.so's data, of the kernel's code, and in ld.so's own pages.
        early = [each for each in target.all("link_map") if each.number("own") == 0]
        self.assertTrue(early)
        for each in early:
            region = vmscan.region_at(document, each.begin)
            self.assertIn(region["rule"], ("loader_data", "elf_load"), each)
        self.assertTrue(loader)
        self.assertGreater(sum(each.number("own") for each in target.all("link_map")), 2)

    def test_link_maps_in_a_heap_of_the_program(self):
        with vmscan.start("link_maps") as target:
            self.check(target, vmscan.details(target.pid))

    def test_the_same_in_cores(self):
        with vmscan.start("link_maps", cwd=self.home) as target, vmscan.stopped(target.pid):
            for kind, path in self.cores_of(target.pid):
                with self.subTest(kind):
                    self.check(target, vmscan.details(path))

    def test_a_program_with_the_c_librarys_malloc(self):
        with vmscan.start("stacks") as target:
            document = vmscan.details(target.pid)
            found = [region for region in document["regions"] if region["rule"] == "loader_data"]
            self.assertTrue(found)
            self.assertLess(sum(region["size"] for region in found), 64 << 10)


if __name__ == "__main__":
    vmscan.main()

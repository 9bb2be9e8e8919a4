"""diff --trend: what it prints of a series, its gate, and what it refuses."""

import csv
import io
import json
import math
import pathlib
import sys
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from cli import BAD, DONE, SMALL, CommandLine

TRIPPED = 1
PAGE = 4096
SLOPE = "heap.private_ws slope > 1MiB/h"


class Trend(CommandLine):
    def setUp(self):
        super().setUp()
        self.document = json.loads(SMALL.read_text("utf-8"))

    def line(self, number, pages, seconds=5, **target):
        """The small snapshot, so many pages more in the heap, so many times later."""
        document = json.loads(json.dumps(self.document))
        heap = next(region for region in document["regions"] if region["address"] == "0x500000")
        for item in (heap, heap["blocks"][-1]):
            item["size"] += pages * PAGE
            for column in ("committed", "private", "total_ws", "private_ws"):
                item[column] += pages * PAGE
        at = number * seconds
        document["captured_at"] = f"2026-11-21T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}.000Z"
        document["target"].update(target)
        return json.dumps(document) + "\n"

    def series(self, lines):
        path = self.directory / "series.jsonl"
        path.write_text("".join(lines), "utf-8")
        return path

    def leaking(self, count=60):
        return self.series(self.line(i, i % 3 + i // 2) for i in range(count))

    def steady(self, count=60):
        return self.series(self.line(i, round(8 + 7 * math.sin(i * 1.3))) for i in range(count))

    def trend(self, path, *arguments, code=DONE):
        done = self.run_it("diff", path, "--trend", *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout.decode("utf-8")

    def json(self, path, *arguments, code=DONE):
        return vmscan.validate(json.loads(self.trend(path, *arguments, "--json", code=code)))

    def test_a_slope_needs_snapshots_whose_heaps_are_whole(self):
        lines = [self.line(i, i // 2) for i in range(60)]
        lacking = json.loads(lines[40])
        lacking["heap_shortfalls"] = [{"allocator": "glibc", "figures": "regions", "reason": "not_found", "blocks": 1,
                                       "bytes": 8192}]
        lines[40] = json.dumps(lacking) + "\n"
        series = self.series(lines)
        document = self.json(series, "--fail-on", SLOPE, "--fail-on", "total.private_ws slope > 1MiB/h", code=TRIPPED)
        heap, total = document["gate"]["conditions"]
        self.assertEqual((heap["verdict"], total["verdict"]), ("unknown", "tripped"))
        self.assertIn("too low in snapshot 41: glibc's malloc counts 1 block of 8 K more", heap["reason"])
        self.assertIn("heap_shortfall", [note["code"] for note in document["notes"]])
        self.trend(series, "--fail-on", SLOPE, code=BAD)

    def refused(self, path, *arguments):
        done = self.run_it("diff", path, "--trend", *arguments)
        self.assertEqual(done.returncode, BAD)
        return done.stderr

    def test_a_leak_trips_and_a_wander_does_not(self):
        document = self.json(self.leaking(), "--fail-on", SLOPE, code=TRIPPED)
        self.assertIs(document["gate"]["tripped"], True)
        heap = next(r for r in document["rows"] if (r["type"], r["column"]) == ("heap", "private_ws"))
        self.assertEqual(heap["course"], "growing")
        self.assertAlmostEqual(heap["slope"]["per_hour"], PAGE / 2 * 720, delta=PAGE * 20)
        document = self.json(self.steady(), "--fail-on", SLOPE)
        self.assertIs(document["gate"]["tripped"], False)

    def test_formats(self):
        path = self.leaking()
        table = self.trend(path, "--fail-on", SLOPE, code=TRIPPED)
        self.assertIn("60 samples over 4 min 55 s, one every 5 s", table)
        self.assertIn("✗ tripped  " + SLOPE, table)
        self.assertRegex(table, r"Heap +committed .* growing +\+1\.4\d MiB/h .*▁.*█")
        narrow = self.trend(path, "--width", "80")
        self.assertTrue(all(len(line) <= 80 for line in narrow.splitlines() if not line[0:1].isdigit()), narrow)
        rows = list(csv.DictReader(io.StringIO(self.trend(path, "--csv", "--type", "heap", "--columns", "private_ws"))))
        self.assertEqual([(r["type"], r["course"]) for r in rows], [("heap", "growing"), ("total", "growing")])
        self.assertIn("| Heap | `private_ws` |", self.trend(path, "--format", "markdown"))
        junit = xml.etree.ElementTree.fromstring(
            self.trend(path, "--format", "junit", "--fail-on", SLOPE, "--fail-on", "heap.size > 1T", code=TRIPPED)
        )
        self.assertEqual((junit.get("tests"), junit.get("failures"), junit.get("errors")), ("2", "1", "0"))

    def test_the_same_from_standard_input(self):
        path = self.leaking()
        done = self.run_it("diff", "-", "--trend", "--csv", stdin=path.read_bytes())
        self.assertEqual(done.stdout.decode("utf-8"), self.trend(path, "--csv"))

    def test_the_same_from_a_compressed_series(self):
        path = self.leaking()
        self.good("convert", path, "packed.jsonl.zst", "-q")
        self.assertEqual(self.trend("packed.jsonl.zst", "--csv"), self.trend(path, "--csv"))

    def test_warm_up_and_conditions_on_the_ends(self):
        path = self.leaking()
        gate = ("--fail-on", "heap.private_ws > +100K")
        self.trend(path, *gate, code=TRIPPED)
        self.trend(path, *gate, "--warm-up", "35")
        self.assertEqual(self.json(path, "--warm-up", "1m")["rows"][0]["warm_up"], 12)
        self.assertIn("the first 12 are warm-up", self.trend(path, "--warm-up", "1m"))

    def test_what_is_ignored_is_not_in_the_trend(self):
        document = self.json(self.leaking(), "--ignore", "type:heap", "--fail-on", SLOPE)
        self.assertEqual({r["last"] for r in document["rows"] if r["type"] == "heap" and r["column"] == "size"}, {0})

    def test_a_series_that_cannot_be_judged_fails_with_its_reason(self):
        series = [self.line(i, 0) for i in range(40)]
        cases = {
            "one": (series[:1], "one snapshot is no series"),
            "19 samples": (series[:19], "19 samples behind the warm-up; a slope needs 20"),
            "two processes": (series[:20] + [self.line(i, 0, pid=7) for i in range(20, 40)], "of two processes"),
            "backwards": (series[20:] + series[:20], "snapshot 21 is not later than the one before it"),
            "gap": (series[:20] + [self.line(i + 60, 0) for i in range(20, 40)], "a gap of 305 s before snapshot 21"),
        }
        for name, (lines, reason) in cases.items():
            with self.subTest(name):
                path = self.series(lines)
                done = self.run_it("diff", path, "--trend", "--fail-on", SLOPE, "--fail-on", "heap.size > 1T")
                self.assertEqual(done.returncode, BAD)
                self.assertIn(reason, done.stdout.decode("utf-8"))
                self.assertIsNone(self.json(path, "--fail-on", SLOPE, code=BAD)["gate"]["tripped"])

    def test_one_snapshot_is_no_series_without_a_gate_either(self):
        self.assertIn("one snapshot is no series", self.run_it("diff", self.small, "--trend").stderr)
        self.assertEqual(self.run_it("diff", self.small, "--trend").returncode, BAD)

    def test_what_is_refused(self):
        path = self.leaking()
        self.assertIn("--trend takes one, a series", self.refused(path, path))
        self.assertIn("no such file; --trend takes a series", self.refused("1"))
        self.assertIn("--warm-up", self.refused(path, "--warm-up", "soon"))
        self.assertIn("are for two snapshots, not for --trend", self.refused(path, "--match", "address"))
        self.assertIn("did you mean 'private_ws'", self.refused(path, "--columns", "privat_ws"))
        self.assertIn("no snapshot of 60 is left", self.refused(path, "--warm-up", "60"))
        done = self.run_it("diff", path, "--fail-on", SLOPE)
        self.assertEqual((done.returncode, done.stdout), (BAD, b""))
        self.assertIn("a slope is judged over a series: add --trend", done.stderr)
        done = self.run_it("diff", path, "--warm-up", "5")
        self.assertIn("--warm-up is for a series: add --trend", done.stderr)


if __name__ == "__main__":
    vmscan.main()

"""vmscan summary --explain: the waterfall as a table, as CSV and as JSON, of processes, cores and saved snapshots."""

import csv
import io
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from cli import BAD, DENIED, DONE, CommandLine


class Explain(CommandLine):
    @classmethod
    def setUpClass(cls):
        cls.target = vmscan.start("trims")
        cls.addClassCleanup(cls.target.close)

    def document(self, *options):
        return vmscan.validate(json.loads(self.good("summary", "--explain", "--json", *options)))

    def test_a_table_with_advice_at_any_width(self):
        for width in (80, 200):
            lines = self.lines("summary", "--explain", "--width", width, self.target.pid)
            self.assertTrue(lines[0].startswith(f"trims  pid {self.target.pid}"))
            self.assertEqual(lines[1].split()[:5], ["Part", "of", "Rss", "In", "RAM"])
            self.assertTrue(lines[2].startswith("Heap: live blocks "))
            self.assertEqual(sum(line.startswith("Rss ") for line in lines), 1)
            self.assertLessEqual(max(map(len, lines)), width, max(lines, key=len))
            self.assertIn("malloc_trim(0) would give back about ", "\n".join(lines))
        self.assertTrue(any("malloc_arena" in line for line in lines))
        self.assertNotIn("Part of Rss", self.text("summary", "--explain", "--no-header", self.target.pid))

    def test_csv_and_json_tell_the_same(self):
        document = self.document(self.target.pid)
        rows = list(csv.DictReader(io.StringIO(self.text("summary", "--explain", "--csv", self.target.pid))))
        self.assertEqual([(row["part"], int(row["bytes"]), row["rules"].split()) for row in rows],
                         [(line["part"], line["bytes"], line["rules"]) for line in document["lines"]])
        self.assertEqual(sum(int(row["bytes"]) for row in rows), document["total"])
        self.assertEqual([each["code"] for each in document["advice"]][:1], ["malloc_trim"])

    def test_several_targets(self):
        rows = list(csv.DictReader(io.StringIO(self.text("summary", "--explain", "--csv", "-q", self.target.pid, "self"))))
        self.assertEqual(len({row["pid"] for row in rows}), 2)

    def test_a_saved_snapshot_is_split_by_type_alone(self):
        self.run_it("snapshot", self.target.pid, "-o", "saved.json")
        done = self.run_it("summary", "--explain", "--json", "saved.json")
        document = vmscan.validate(json.loads(done.stdout))
        self.assertEqual(document["split"], "total_ws")
        parts = {line["part"] for line in document["lines"]}
        self.assertIn("heap_unread", parts)
        self.assertNotIn("heap_live", parts)
        self.assertIn("heap_not_walked", [note["code"] for note in document["notes"]])
        self.assertEqual(document["advice"], [])

    def test_a_core_is_split_by_what_is_committed(self):
        gcore = vmscan.need("gcore")
        subprocess.run([gcore, "-o", "core", str(self.target.pid)], cwd=self.directory, capture_output=True, check=True)
        done = self.run_it("summary", "--explain", f"core.{self.target.pid}")
        self.assertEqual(done.returncode, DONE)
        self.assertIn("what was in RAM is not known here: the committed bytes are split", done.stderr)
        text = done.stdout.decode("utf-8")
        self.assertIn("Part of Committed", text)
        self.assertIn("Heap: live blocks", text)

    def test_options_that_it_has_no_use_for(self):
        for option in (("--columns", "swap"), ("--sort", "size"), ("--top", "3"), ("--type", "heap"), ("--total",), ("--full",)):
            self.fails(BAD, f"--explain .*leave out {option[0]}", "summary", "--explain", *option, self.target.pid)

    def test_denied(self):
        prefix = vmscan.as_nobody()
        done = self.run_it("summary", "--explain", self.target.pid, prefix=prefix)
        self.assertEqual(done.returncode, DENIED)


if __name__ == "__main__":
    vmscan.main()

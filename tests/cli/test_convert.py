"""vmscan convert: any format to any other, and the files of VMMap as targets."""

import csv
import io
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from cli import BAD, DONE, GONE, PARTIAL, CommandLine

PAGE = {"No access": 1, "Read": 2, "Read/Write": 4, "Write": 4, "Copy on write": 8, "Execute": 16, "Execute/Read": 32}
SUMS = ("Size", "Committed", "Total WS", "Private WS", "Shareable WS", "Shared WS", "Locked WS", "Blocks")


def kib(cell):
    return int(cell.replace(",", "") or 0)


def vmmap_csv(content):
    """Summary rows by type, and regions with their blocks, by a reader of our own for VMMap's form."""
    lines = [line.rstrip("\r") for line in content.decode("utf-8").split("\n")]
    rows = list(csv.reader(lines))
    blanks = [i for i, row in enumerate(rows) if not row]
    summary_head, *summary = rows[blanks[0] + 1 : blanks[1]]
    details_head, *details = [row for row in rows[blanks[1] + 1 :] if row]
    regions = []
    for row in (dict(zip(details_head, row)) for row in details):
        if row["Address"].startswith("  "):
            regions[-1][1].append(row)
        else:
            regions.append((row, []))
    return {row[0]: dict(zip(summary_head, row)) for row in summary}, regions


class Convert(CommandLine):
    def convert(self, *arguments):
        done = self.run_it("convert", *arguments)
        self.assertEqual(done.returncode, DONE, done.stderr)
        for line in done.stderr.splitlines():
            self.assertTrue(line.startswith("vmscan: note: "), line)
        return done

    def live(self):
        self.good("snapshot", "self", "-o", "live.json", "-q")
        return "live.json"

    def test_the_csv_keeps_vmmaps_laws(self):
        self.convert(self.live(), "live.csv")
        content = (self.directory / "live.csv").read_bytes()
        self.assertEqual(content.count(b"\n"), content.count(b"\r\r\n"))
        summary, regions = vmmap_csv(content)
        self.assertEqual(
            list(summary),
            "Total,Image,Mapped File,Shareable,Heap,Managed Heap,Stack,Private Data,Page Table,Unusable,Free".split(","),
        )
        names = {"Thread Stack": "Stack", "Heap (Private Data)": "Heap"}
        for name, row in summary.items():
            if name in ("Total", "Page Table"):
                continue
            mine = [(r, b) for r, b in regions if names.get(r["Type"], r["Type"]) == name]
            for column in SUMS:
                self.assertEqual(kib(row[column]), sum(kib(r[column]) for r, _ in mine), (name, column))
            self.assertEqual(kib(row["Private"]), sum(kib(b["Private"]) for _, bs in mine for b in bs), name)
            self.assertEqual(kib(row["Largest"]), max((kib(r["Size"]) for r, _ in mine), default=0), name)
        for column in (*SUMS, "Private"):
            rows = [row for name, row in summary.items() if name not in ("Total", "Free")]
            self.assertEqual(kib(summary["Total"][column]), sum(kib(row[column]) for row in rows), column)
        for region, blocks in regions:
            self.assertTrue(blocks)
            self.assertRegex(region["Address"], r"\A[0-9A-F]{16}\Z")
            self.assertEqual(region["Address"], blocks[0]["Address"].strip())
            self.assertEqual([block["Blocks"] for block in blocks], [""] * len(blocks))
            known = [block["Protection"] for block in blocks if block["Protection"] in PAGE]
            if region["Protection"] in PAGE:
                self.assertEqual(PAGE[region["Protection"]], max(PAGE[name] for name in known))
            if region["Type"] == "Image":
                writable = [b for b in blocks if "Write" in b["Protection"] or "write" in b["Protection"]]
                self.assertEqual(kib(region["Private"]), sum(kib(b["Committed"]) for b in writable))

    def test_there_and_back_again_gives_the_same_bytes_and_sums(self):
        live = self.live()
        for extension in ("csv", "txt", "mmp"):
            self.convert(live, f"a.{extension}")
            self.convert(f"a.{extension}", f"a-{extension}.json")
            self.convert(f"a-{extension}.json", f"b.{extension}")
            first, second = ((self.directory / f"{name}.{extension}").read_bytes() for name in "ab")
            self.assertEqual(first, second)
            rows = {}
            for name in (live, f"a.{extension}"):
                document = vmscan.validate(json.loads(self.run_it("summary", name, "--json").stdout))
                rows[name] = {
                    row["type"]: [row[c] for c in ("size", "committed", "private", "total_ws", "shared_ws", "largest")]
                    for row in document["rows"]
                }
            self.assertEqual(rows[live], rows[f"a.{extension}"])

    def test_vmmaps_files_are_targets(self):
        for extension in ("csv", "txt", "mmp"):
            self.convert(self.small, f"small.{extension}")
            for command in ("summary", "details"):
                for form in ("--json", "--csv"):
                    self.assertEqual(self.run_it(command, f"small.{extension}", form).returncode, DONE)
            done = self.run_it("summary", "-", "--json", stdin=(self.directory / f"small.{extension}").read_bytes())
            vmscan.validate(json.loads(done.stdout))

    def test_a_series_stays_one_in_mmp_and_zst(self):
        line = self.small.read_bytes().strip() + b"\n"
        series = b"".join(line.replace(b'"small"', f'"s{i}"'.encode()) for i in range(3))
        self.file("series.jsonl", series)
        self.convert("series.jsonl", "series.mmp")
        self.assertIn("3 snapshots", self.text("convert", "--check", "series.mmp"))
        self.assertEqual(self.run_it("summary", "series.mmp@1", "--json").returncode, DONE)
        self.fails(BAD, "no snapshot 4", "summary", "series.mmp@4")
        self.convert("series.jsonl", "plain.jsonl")
        self.convert("series.jsonl", "series.jsonl.zst")
        self.convert("series.jsonl.zst", "again.jsonl")
        self.assertEqual(*((self.directory / f"{name}.jsonl").read_bytes() for name in ("plain", "again")))
        self.assertIn("the last of 3", self.convert("series.jsonl", "last.csv").stderr)

    def test_what_is_lost_is_noted(self):
        done = self.convert(self.live(), "live.mmp")
        for lost in ("Swap", "name and pid", "rules", "threads"):
            self.assertIn(lost, done.stderr)
        self.assertEqual(self.convert("live.json", "quiet.mmp", "-q").stderr, "")

    def test_the_unknown_parts_of_an_mmp_are_kept(self):
        self.convert(self.small, "small.mmp", "-q")
        text = (self.directory / "small.mmp").read_text().replace("<MemoryRegions>", '<Symbols path="x"/>\n<MemoryRegions>')
        self.file("more.mmp", text.encode())
        self.assertIn("Symbols", self.convert("more.mmp", "kept.mmp").stderr)
        self.assertIn("Symbols", (self.directory / "kept.mmp").read_text())
        self.fails(BAD, "document type", "convert", self.file("bomb.mmp", b"<!DOCTYPE x><root><Snapshots/></root>"), "o")

    def test_regions_as_csv_for_pandas(self):
        self.live()
        content = self.convert("live.json", "-", "--to", "regions-csv").stdout
        self.assertNotIn(b"\r", content)
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8"))))
        regions = json.loads((self.directory / "live.json").read_bytes())["regions"]
        self.assertEqual([row["address"] for row in rows], [region["address"] for region in regions])
        self.assertEqual([int(row["size"]) for row in rows], [region["size"] for region in regions])

    def test_smaps_text_has_the_blocks_and_what_is_in_ram(self):
        self.live()
        text = self.convert("live.json", "-", "--to", "smaps").stdout.decode()
        regions = json.loads((self.directory / "live.json").read_bytes())["regions"]
        blocks = [b for r in regions if r["type"] != "unusable" for b in r["blocks"]]
        sizes = [int(line.split()[1]) for line in text.splitlines() if line.startswith("Size:")]
        rss = [int(line.split()[1]) for line in text.splitlines() if line.startswith("Rss:")]
        self.assertEqual(sizes, [b["size"] // 1024 for b in blocks])
        self.assertEqual(sum(rss), sum(b["total_ws"] for b in blocks) // 1024)

    def test_check_says_what_it_is_and_writes_nothing(self):
        self.convert(self.small, "small.csv", "-q")
        before = self.files()
        self.assertRegex(self.text("convert", "--check", "-q", "self"), r"self: process, 1 snapshot, \d+ regions")
        self.assertRegex(self.text("convert", "--check", "small.csv"), r"small\.csv: VMMap's CSV, 1 snapshot, \d+ regions")
        self.file("cut.csv", (self.directory / "small.csv").read_bytes()[:-40])
        done = self.run_it("convert", "--check", "cut.csv", "--strict")
        self.assertEqual(done.returncode, PARTIAL)
        self.assertIn("note: ", done.stderr)
        (self.directory / "cut.csv").unlink()
        self.assertEqual(self.files(), before)

    def test_wrong_use_is_told(self):
        small = self.small
        self.fails(BAD, "takes IN and OUT", "convert", small)
        self.fails(BAD, "takes IN and OUT", "convert")
        self.fails(BAD, "name it with --to", "convert", small, "a.xlsx")
        self.fails(BAD, "Name it with --to", "convert", small, "-")
        self.fails(BAD, "did you mean 'smaps'", "convert", small, "a", "--to", "smap")
        self.fails(BAD, "it is written, but not read", "convert", small, "a", "--from", "smaps")
        self.fails(BAD, "--check only reads", "convert", "--check", small, "a")
        self.fails(BAD, "the file exists", "convert", small, "small.json")
        self.fails(BAD, "not a snapshot", "convert", self.file("x", b"hello\n"), "a")
        self.fails(BAD, "", "convert", small, "a", "--from", "vmmap-csv")
        self.fails(GONE, "", "convert", "no-such-process-here", "a")
        self.assertEqual(self.convert(small, "small.json", "--force").returncode, DONE)


if __name__ == "__main__":
    vmscan.main()

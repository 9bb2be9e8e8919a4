"""How much of the anonymous memory in RAM of a process `summary --explain` gives an owner."""

import pathlib

import programs
import smaps
import vmscan

HEAP = ("heap_live", "heap_cached", "heap_free", "heap_overhead", "heap_rest")


def rollup(pid):
    """The kernel's sums over a stopped process, in bytes."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return {name: int(value.split()[0]) << 10 for name, value in (line.split(":") for line in lines)}


def in_ram(document, part, details=""):
    """Bytes of the lines of that part whose details begin so."""
    return sum(line["bytes"] for line in document["lines"]
               if line["part"] == part and line["details"].startswith(details))


def heap_in_ram(document):
    return sum(in_ram(document, part) for part in HEAP)


def kind_of(pid):
    """The name of a process, with what Chromium calls it."""
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").split()
    kinds = [word.partition("=")[2] for word in words if word.startswith(("--type=", "--utility-sub-type="))]
    return " ".join([smaps.status(pid)["Name"], *kinds])


class Covers(programs.StartsPrograms):
    def check(self, pid, least):
        """A stopped process: the lines add up to Rss, and at least that part of its anonymous memory has an owner."""
        document = vmscan.document("summary", "--explain", "--json", pid)
        kernel = rollup(pid)
        self.assertEqual(sum(line["bytes"] for line in document["lines"]), kernel["Rss"])
        self.assertEqual((document["split"], document["total"]), ("total_ws", kernel["Rss"]))
        self.assertTrue(all(line["rules"] for line in document["lines"]), document["lines"])
        lost = in_ram(document, "unattributed")
        share = 1 - lost / max(kernel["Anonymous"], 1)
        print(f"  {kind_of(pid):<44.44} anonymous {kernel['Anonymous'] >> 10:>9,} K  of somebody {share:8.2%}  "
              f"Rss {kernel['Rss'] >> 10:>9,} K, adds up", flush=True)
        if share < least:
            self.fail(f"{kind_of(pid)}: {lost >> 10} K have no owner: {self.nobodys(pid)}")
        return document

    @staticmethod
    def nobodys(pid):
        regions = [r for r in vmscan.details(pid)["regions"] if r["rule"] == "private_anonymous"]
        regions.sort(key=lambda region: -region["total_ws"])
        return [f"{r['address']} {r['total_ws'] >> 10} of {r['size'] >> 10} K" for r in regions[:8]]

    def check_stopped(self, pid, least=0.95):
        with vmscan.stopped(pid):
            return self.check(pid, least)

    def check_tree(self, pid, least=0.95, but="-"):
        """Every process of the tree, while all of them are stopped; by pid, as their names in `kinds`. Of those with
        `but` in their names no share is asked for."""
        with vmscan.stopped_tree(pid) as pids:
            self.kinds = {each: kind_of(each) for each in pids}
            return {each: self.check(each, 0 if but in self.kinds[each] else least) for each in pids}

    def check_range(self, what, value, low, high):
        """What was found lies between what must be there and what the program itself says that it has."""
        low = max(low, 0)
        print(f"    {what}: {low >> 10:,} <= {value >> 10:,} <= {high >> 10:,} K", flush=True)
        self.assertTrue(low <= value <= high, f"{what}: {value} is not from {low} to {high}")

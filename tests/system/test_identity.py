"""The same program run twice under address randomisation: what --match identity calls added or removed truly is.

The truth is counted here from the two saved snapshots, without the addresses: of a name that both runs have equally often, no
region may be left over on either side, and no two regions that are left over may be alike.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from programs import StartsPrograms

LEAST_MATCHED = 0.9


def role(pid):
    """What a process is in its program, the same in every run."""
    command = pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").split()
    kind = next((word for word in command if word.startswith("--type=")), None)
    return kind or " ".join(command[:4])


def name_of(region):
    """The file of a region without what differs between two runs, or None."""
    path = region["details"].partition(" [")[0].removesuffix(" (deleted)")
    return path if path.startswith("/") and region["type"] in ("image", "mapped_file") else None


class Identity(StartsPrograms):
    def snapshots(self, start, directory, roles):
        """Starts the program and saves one snapshot of each process whose role is new; ends the program."""
        root = start()
        directory.mkdir()
        found = {}
        for pid in vmscan.tree(root):
            key = "main" if pid == root else role(pid)
            if key in found or (roles is not None and key not in roles):
                continue
            path = directory / f"{pid}.json"
            subprocess.run([vmscan.PROGRAM, "snapshot", str(pid), "-q", "-o", path], check=True)
            found[key] = path
        self.doCleanups()
        self.setUp()
        return found

    def check_pair(self, name, base, new):
        """Returns how many of NEW's regions have a match, and how many there are."""
        done = subprocess.run(
            [vmscan.PROGRAM, "diff", "--file", base, "--file", new, "--match", "identity", "--all", "--json", "-q"],
            check=True, capture_output=True,
        )
        document = vmscan.validate(json.loads(done.stdout))
        self.assertEqual(document["match"]["mode"], "identity")
        left = {"added": [], "removed": []}
        for change in document["regions"]:
            if change["change"] in left:
                left[change["change"]] += change["new"] + change["base"]
        counts = [collections.Counter(map(name_of, json.loads(path.read_text())["regions"])) for path in (base, new)]
        for side, (more, fewer) in (("removed", counts), ("added", counts[::-1])):
            names = collections.Counter(map(name_of, left[side]))
            names.pop(None, None)
            for path, number in names.items():
                self.assertLessEqual(number, more[path] - fewer[path], f"{name}: {side} {path}")
        alike = [{(r["type"], r["size"], name_of(r)) for r in left[side]} for side in left]
        self.assertFalse(alike[0] & alike[1], f"{name}: alike, but one is called added, the other removed")
        total = sum(counts[1].values())
        return total - len(left["added"]), total

    def check(self, start, least=LEAST_MATCHED, roles=None):
        shares = []
        with tempfile.TemporaryDirectory() as kept:
            base, new = (self.snapshots(start, pathlib.Path(kept, side), roles) for side in ("base", "new"))
            for key in sorted(base.keys() & new.keys()):
                matched, total = self.check_pair(key, base[key], new[key])
                shares.append(matched / total)
                name = f"{self.id().rpartition('.')[2]} {key[:40]}"
                print(f"  {name}: {matched} of {total} matched, {shares[-1]:.3f}", flush=True)
        self.assertGreaterEqual(min(shares), least)

    def test_chromium(self):
        self.check(self.start_chromium, roles=("main", "--type=renderer", "--type=gpu-process"))

    def test_node(self):
        self.check(self.start_node)

    def test_java(self):
        self.check(self.start_java)

    def test_python(self):
        self.check(self.start_python)

    def test_postgres(self):
        self.check(self.start_postgres)


if __name__ == "__main__":
    vmscan.main()

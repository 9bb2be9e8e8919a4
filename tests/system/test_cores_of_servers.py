"""Cores of a database and of a browser, against the live process."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from cores import LARGE_DIRECTORY, CoreTest


class CoresOfServers(CoreTest):
    def test_postgres(self):
        initdb = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
        if not initdb:
            self.skipTest("postgres is not installed")
        prefix = []
        if os.geteuid() == 0:
            prefix = vmscan.as_nobody()
            os.chown(self.home, 65534, 65534)
        data = f"{self.home}/data"
        subprocess.run([*prefix, str(initdb), "-D", data, "--no-sync", "-A", "trust"], check=True, capture_output=True,
                       cwd=self.home)
        self.compare(self.start(*prefix, str(initdb.parent / "postgres"), "-D", data, "-k", self.home, "-c",
                                "listen_addresses="))

    def chromium(self, kind):
        """Starts Chromium; returns the first of its processes of a kind."""
        pid = self.start(vmscan.need("chromium"), *vmscan.CHROMIUM, f"--user-data-dir={self.home}/profile",
                         "--remote-debugging-port=0", "about:blank", wait=5)
        for each in vmscan.tree(pid):
            if f"--type={kind}".encode() in pathlib.Path(f"/proc/{each}/cmdline").read_bytes():
                return each
        return self.skipTest(f"chromium started no {kind}")

    def test_a_chromium_renderer(self):
        """Not with gcore: gdb 13 leaves out what is MADV_DONTDUMP, a TiB of V8's cages."""
        self.compare(self.chromium("renderer"), kinds=("kernel",))

    def test_a_chromium_service(self):
        """gdb 13 writes reserved memory as zeros that it reads page by page: 52 GiB, in five minutes."""
        kinds = ("gcore", "kernel") if LARGE_DIRECTORY else ("kernel",)
        if not LARGE_DIRECTORY:
            self.say("gcore", "skipped: writes 52 GiB, needs VMSCAN_TEST_CORE_DIRECTORY")
        self.compare(self.chromium("utility"), kinds=kinds)


if __name__ == "__main__":
    vmscan.main()

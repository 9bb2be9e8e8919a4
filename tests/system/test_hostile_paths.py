"""A target that puts a pipe, a device or a link in the place of a file that it has mapped: it is never opened.

inotify tells of every opening of what lies there; a look by O_PATH is none.
"""

import ctypes
import os
import pathlib
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from programs import StartsPrograms

IN_OPEN = 0x20
LIBRARY = next((path for path in map(pathlib.Path, ("/lib/x86_64-linux-gnu/libm.so.6", "/usr/lib/libm.so.6",
                                                     "/lib64/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6"))
                if path.exists()), None)
LOADS = "import ctypes, os, sys; {enter}; ctypes.CDLL({path!r}); sys.stdin.read()"
COMMANDS = (("details", "--json"), ("summary", "--explain", "--json"), ("heap", "--json"), ("strings", "-q"),
            ("snapshot", "--heap", "-q"))

libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Counts how often a file is opened for reading or writing."""

    def __init__(self, path):
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self.fd >= 0 and libc.inotify_add_watch(self.fd, os.fsencode(path), IN_OPEN) >= 0, path

    def opened(self):
        count = 0
        try:
            while events := os.read(self.fd, 4096):
                while events:
                    _, mask, _, length = struct.unpack_from("iIII", events)
                    count += bool(mask & IN_OPEN)
                    events = events[16 + length:]
        except BlockingIOError:
            return count
        return count

    def close(self):
        os.close(self.fd)


class HostilePaths(StartsPrograms):
    def loaded(self, name, enter="pass", seen=None):
        """A process that has loaded a copy of a library, and the path of the copy."""
        if LIBRARY is None:
            self.skipTest("no library to copy")
        path = pathlib.Path(self.home, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LIBRARY.read_bytes())
        path.chmod(0o755)
        pid = self.start("/usr/bin/python3", "-c", LOADS.format(enter=enter, path=seen or str(path)))
        self.assertIn(f"{path}\n", pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8"))
        return pid, path

    def assert_not_opened(self, pid, watched):
        watch = Watch(watched)
        self.addCleanup(watch.close)
        for command in COMMANDS:
            done = vmscan.run(*command, pid)
            self.assertEqual(done.returncode, 0, (command, done.stderr))
            self.assertEqual(watch.opened(), 0, f"{command} opened {watched}")
        os.close(os.open(watched, os.O_RDWR | os.O_NONBLOCK))
        self.assertGreater(watch.opened(), 0, "the watch sees nothing")

    def test_a_pipe(self):
        pid, path = self.loaded("lib.so")
        path.unlink()
        os.mkfifo(path)
        self.assert_not_opened(pid, path)

    def test_a_link_to_a_pipe(self):
        pid, path = self.loaded("lib.so")
        pipe = pathlib.Path(self.home, "pipe")
        os.mkfifo(pipe)
        path.unlink()
        path.symlink_to(pipe)
        self.assert_not_opened(pid, pipe)

    def test_a_device(self):
        pid, path = self.loaded("lib.so")
        path.unlink()
        try:
            os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
            os.close(os.open(path, os.O_RDWR))
        except OSError:
            self.skipTest("a device takes root, and a file system that allows them")
        self.assert_not_opened(pid, path)

    def test_a_name_that_only_ends_like_a_deleted_one(self):
        pid, path = self.loaded("lib.so")
        path.unlink()
        pipe = pathlib.Path(f"{path} (deleted)")
        os.mkfifo(pipe)
        self.assert_not_opened(pid, pipe)

    def test_a_directory_that_became_a_link(self):
        pid, path = self.loaded("in/lib.so")
        other = pathlib.Path(self.home, "other")
        other.mkdir()
        path.unlink()
        path.parent.rmdir()
        path.parent.symlink_to(other)
        os.mkfifo(other / "lib.so")
        self.assert_not_opened(pid, other / "lib.so")

    def test_a_link_out_of_the_root_of_the_target(self):
        """The kernel shows the path from the root of whoever reads the map; below the target's root lies a link."""
        if os.geteuid() != 0:
            self.skipTest("chroot takes root")
        root = pathlib.Path(self.home, "root")
        enter = f"ctypes.CDLL('libm.so.6'); os.chroot({str(root)!r}); os.chdir('/')"
        pid, path = self.loaded("root/lib.so", enter, "/lib.so")
        pipe = pathlib.Path(self.home, "pipe")
        os.mkfifo(pipe)
        inside = root / str(path).lstrip("/")
        inside.parent.mkdir(parents=True)
        inside.symlink_to(pipe)
        path.unlink()
        self.assert_not_opened(pid, pipe)

    def test_the_file_itself_is_read(self):
        pid, path = self.loaded("lib.so")
        watch = Watch(path)
        self.addCleanup(watch.close)
        image = next(region for region in vmscan.details(pid)["regions"] if region["details"] == str(path))
        self.assertTrue(image["build_id"])
        self.assertGreater(watch.opened(), 0)

    def test_a_deleted_file_is_read_by_map_files(self):
        pid, path = self.loaded("lib.so")
        path.unlink()
        regions = vmscan.details(pid)["regions"]
        image = next(region for region in regions if region["details"] == f"{path} (deleted)")
        may = subprocess.run(["cat", f"/proc/{pid}/map_files/{self.mapped_at(pid, path)}"], capture_output=True,
                             check=False).returncode == 0
        self.assertEqual(image["rule"], "elf_load" if may else "executable_file")

    @staticmethod
    def mapped_at(pid, path):
        """The range of its first mapping, as map_files names it."""
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
            if line.endswith(f"{path} (deleted)"):
                begin, end = (int(word, 16) for word in line.split()[0].split("-"))
                return f"{begin:x}-{end:x}"
        raise AssertionError(path)


if __name__ == "__main__":
    vmscan.main()

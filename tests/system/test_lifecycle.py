"""Processes that come, go, change and hide: every look at one ends in a valid document or the right exit code."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import compare
import smaps
import vmscan

GONE, DENIED = 3, 4
LOOKS = 50


def gone_pid():
    """A pid that no process has."""
    done = subprocess.Popen(["/bin/true"])
    done.wait()
    return done.pid


class Lifecycle(unittest.TestCase):
    def look_or_gone(self, look, pid):
        """The checked document, or None when vmscan says that the process is gone; anything else fails."""
        try:
            return look(pid)
        except vmscan.Failed as failure:
            self.assertEqual(failure.code, GONE, failure)
            self.assert_one_line(failure.message)
            return None

    def assert_one_line(self, message):
        self.assertTrue(message.startswith("vmscan: "), message)
        self.assertEqual(message.count("\n"), 1, message)

    # -- without memory

    def assert_without_memory(self, pid, kind):
        for look in (vmscan.summary, vmscan.details, vmscan.snapshot):
            document = look(pid)
            self.assertEqual(document["target"]["kind"], kind)
            self.assertTrue(document["notes"], "a note says why there is nothing")
        self.assertIn(vmscan.summary(pid)["total"]["total_ws"], (0, None))

    def test_a_zombie(self):
        with vmscan.start("leader") as target:
            self.assert_without_memory(target["zombie"].number("pid"), "zombie")

    def test_a_kernel_thread(self):
        try:
            name = pathlib.Path("/proc/2/comm").read_text(encoding="utf-8").strip()
        except OSError:
            name = ""
        if name != "kthreadd":
            self.skipTest("no kernel thread is visible here")
        self.assert_without_memory(2, "kernel_thread")

    def test_a_process_whose_main_thread_has_ended(self):
        with vmscan.start("main_thread_exits") as target, vmscan.stopped(target.pid):
            compare.assert_equal(self, target.pid)
            thing = target["memory"]
            usage = vmscan.usage_in(vmscan.details(target.pid), thing.begin, thing.end)
            self.assertEqual(usage["private_ws"], thing.size)

    # -- in motion

    def test_a_process_that_executes_itself_again_and_again(self):
        with vmscan.start("exec_loop") as target:
            seen = 0
            for turn in range(LOOKS):
                look = (vmscan.summary, vmscan.details, vmscan.snapshot)[turn % 3]
                document = self.look_or_gone(look, target.pid)
                seen += document is not None
            self.assertGreater(seen, 0, "not one look succeeded")

    def test_a_process_that_maps_and_unmaps_all_the_time(self):
        with vmscan.start("mapper") as target:
            for turn in range(LOOKS):
                look = (vmscan.summary, vmscan.details, vmscan.snapshot)[turn % 3]
                self.assertIn(look(target.pid)["consistency"], ("stable", "racy"))

    def test_a_stopped_process_is_stable(self):
        with vmscan.start("mapper") as target, vmscan.stopped(target.pid):
            self.assertEqual(vmscan.summary(target.pid)["consistency"], "stable")

    def test_a_process_that_ends_meanwhile(self):
        delays = random.Random(1)
        for turn in range(LOOKS):
            with vmscan.start("many_mappings", 3000) as target:
                command = ("summary", "details")[turn % 2]
                looker = subprocess.Popen(
                    [vmscan.PROGRAM, command, "--json", str(target.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
                )
                time.sleep(delays.uniform(0, 0.012))
                os.kill(target.pid, 9)
                out, err = looker.communicate(timeout=60)
            if looker.returncode == 0:
                vmscan.validate(vmscan.json.loads(out))
            else:
                self.assertEqual(looker.returncode, GONE, err)
                self.assert_one_line(err.decode())
                self.assertEqual(out, b"", "half a document of a process that is gone")

    def test_a_series_of_a_process_that_ends(self):
        """Its memory goes before it is a zombie: no line may show that as 0 bytes of a process."""
        program = "import time; x = bytearray(30_000_000); time.sleep(0.1)"
        for run in range(20):
            with tempfile.TemporaryDirectory(prefix="vmscan-lifecycle-") as home:
                path = pathlib.Path(home, "series.jsonl")
                target = subprocess.Popen([sys.executable, "-c", program])  # nobody waits for it meanwhile
                time.sleep(0.02 + 0.002 * run)
                subprocess.run([vmscan.PROGRAM, "snapshot", str(target.pid), "-q", "--interval", "5ms", "--until-exit",
                                "-o", path], check=True)
                target.wait()
                for line in path.read_text("utf-8").splitlines():
                    snapshot = json.loads(line)
                    codes = [note["code"] for note in snapshot["notes"]]
                    self.assertNotIn("exec_meanwhile", codes)
                    self.assertNotIn("pages_unknown", codes)
                    self.assertTrue(snapshot["regions"], codes)

    def test_no_such_process(self):
        for command in (["summary"], ["details"], ["snapshot"], ["summary", "--json"]):
            done = vmscan.run(*command, gone_pid())
            self.assertEqual(done.returncode, GONE, command)
            self.assert_one_line(done.stderr)
            self.assertEqual(done.stdout, b"", command)

    # -- rights and namespaces

    def test_a_process_of_another_user(self):
        nobody = vmscan.as_nobody()
        self.need_program_for(nobody)
        with vmscan.start("relro") as target:
            done = vmscan.run("summary", "--json", target.pid, prefix=nobody)
            self.assertEqual(done.returncode, DENIED, done.stderr)
            self.assertTrue(done.stderr.startswith("vmscan: "), done.stderr)
            if done.stdout:
                document = vmscan.validate(vmscan.json.loads(done.stdout))
                self.assertTrue(document["notes"])
                self.assertIsNone(document["total"]["total_ws"], "what may not be read is unknown, not 0")
                self.assertEqual(document["target"]["pid"], target.pid)

    def test_the_owner_sees_what_root_sees(self):
        nobody = vmscan.as_nobody()
        self.need_program_for(nobody)
        with vmscan.start("cow_fork", prefix=nobody) as target, vmscan.stopped(target.pid):
            mine, roots = vmscan.details(target.pid, prefix=nobody), vmscan.details(target.pid)
            for document in (mine, roots):
                thing = target["forked"]
                usage = vmscan.usage_in(document, thing.begin, thing.end)
                self.assertEqual((usage["total_ws"], usage["shared_ws"]), (thing.size, thing.size))
            resident = sum(mapping.resident for mapping in smaps.smaps(target.pid))
            self.assertEqual(vmscan.summary(target.pid, prefix=nobody)["total"]["total_ws"], resident)

    def need_program_for(self, prefix):
        try:
            usable = subprocess.run([*prefix, vmscan.PROGRAM, "--version"], capture_output=True, check=False)
        except OSError as error:
            self.skipTest(str(error))
        if usable.returncode != 0:
            self.skipTest(f"another user cannot run {vmscan.PROGRAM}")

    def test_a_process_in_a_pid_namespace(self):
        vmscan.need_root()
        namespace = [vmscan.need("unshare"), "--pid", "--fork", "--kill-child", "--mount-proc"]
        if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("may not make a pid namespace")
        with vmscan.start("threads", 2, prefix=namespace) as target:
            inner = vmscan.children(target.pid)[0]
            with vmscan.stopped(inner):
                compare.assert_equal(self, inner)
                document = vmscan.details(inner)
            self.assertEqual(document["target"]["pid"], inner)
            self.assertEqual(document["target"]["namespace_pids"], [inner, 1])

    # -- large

    def test_sixty_thousand_mappings(self):
        with vmscan.start("many_mappings", 60000) as target, vmscan.stopped(target.pid):
            compare.assert_equal(self, target.pid)
            limits = vmscan.summary(target.pid)["limits"]
            self.assertEqual(limits["mappings"]["used"], len([m for m in smaps.maps(target.pid) if m.name != "[vsyscall]"]))

    def test_a_terabyte_of_reservation(self):
        with vmscan.start("reservation", 10000) as target, vmscan.stopped(target.pid):
            compare.assert_equal(self, target.pid)

    def test_itself(self):
        document = vmscan.summary("self")
        self.assertGreater(document["total"]["total_ws"], 0)

    def test_a_program_that_was_deleted_while_it_runs(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
            copy = pathlib.Path(directory, "sleep")
            shutil.copy(vmscan.need("sleep"), copy)
            process = subprocess.Popen([copy, "100"])
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            time.sleep(0.1)
            copy.unlink()
            with vmscan.stopped(process.pid):
                compare.assert_equal(self, process.pid)
                images = [r for r in vmscan.details(process.pid)["regions"] if r["details"].startswith(str(copy))]
            self.assertEqual([image["type"] for image in images], ["image"])


if __name__ == "__main__":
    vmscan.main()

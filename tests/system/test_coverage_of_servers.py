"""Servers that have had work: nearly all of the anonymous memory of each of their processes has an owner."""

import pathlib
import re
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import owned
import vmscan

QUERIES = """
create table t as select i, 'value ' || i as b from generate_series(1, 100000) i;
create index on t(b);
set work_mem = '64MB';
begin;
declare c cursor for select * from t order by b;
fetch 10 from c;
"""
CONTEXTS = "select 'bytes', sum(total_bytes)::bigint from pg_backend_memory_contexts;\n"


class CoverageOfServers(owned.Covers):
    def test_postgres(self):
        """Its memory contexts are blocks of malloc."""
        pid = self.start_postgres()
        psql = shutil.which("psql", path="/usr/bin") or vmscan.need("psql")
        before = set(vmscan.tree(pid))
        with subprocess.Popen([psql, "-h", self.home, "-U", "tester", "-d", "postgres", "-qAt"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as client:
            client.stdin.write(QUERIES + CONTEXTS)
            client.stdin.flush()
            while not (line := client.stdout.readline()).startswith("bytes"):
                pass
            told = int(line.split("|")[1])
            backend = max(set(vmscan.tree(pid)) - before)
            found = self.check_tree(pid, 0.99)
            client.stdin.close()
        live = owned.in_ram(found[backend], "heap_live")
        self.check_range("memory contexts of the backend", live, told * 9 // 10, told + (1 << 20))

    def test_nginx(self):
        pid = self.start_nginx()
        for _ in range(200):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"{self.home}/socket")
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                self.assertIn(b"HTTP/1.1 ", client.recv(4096))
        self.check_tree(pid, 0.99)

    def test_redis(self):
        pid = self.start_redis()
        client = [vmscan.need("redis-cli"), "-s", f"{self.home}/socket"]
        script = "for i=1,200000 do redis.call('set','key:'..i,string.rep('v',50)) end"
        subprocess.run([*client, "eval", script, "0"], check=True, capture_output=True)
        info = subprocess.run([*client, "info", "memory"], check=True, capture_output=True, text=True).stdout
        told = {key: int(value) for key, value in re.findall(r"^(allocator_\w+):(\d+)\r?$", info, re.MULTILINE)}
        document = self.check_stopped(pid)
        self.check_range("jemalloc", owned.heap_in_ram(document), told["allocator_allocated"] * 99 // 100,
                         told["allocator_resident"] * 11 // 10)

    def test_memcached(self):
        user = ["-u", "nobody"] if pathlib.Path(self.home).owner() == "root" else []
        pathlib.Path(self.home).chmod(0o777)
        pid = self.start(vmscan.need("memcached"), *user, "-s", f"{self.home}/socket", "-m", "64")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{self.home}/socket")
            for i in range(5000):
                client.sendall(b"set key%d 0 0 1000 noreply\r\n%s\r\n" % (i, b"x" * 1000))
            client.sendall(b"get key4999\r\n")
            self.assertIn(b"VALUE", client.recv(4096))
        document = self.check_stopped(pid, 0.99)
        self.assertGreater(owned.in_ram(document, "heap_live"), 5000 * 1000)


if __name__ == "__main__":
    vmscan.main()

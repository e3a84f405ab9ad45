# SPDX-License-Identifier: MIT
"""SIGHUP: the configuration file is read again, all or nothing, and no request notices."""

import contextlib
import os
import re
import signal
import socket
import unittest

import clients
import harness
import local_clients as local
import test_config
import xsi


@unittest.skipUnless(test_config.is_built_in(), "built without libconfuse")
class Reloads(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.stack = stack
        self.directory = stack.enter_context(harness.tempdir())
        self.file = self.path("ruptimed.conf")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, *listen, more=""):
        """Replace the file, as editors and packages do: by a rename."""
        with open(self.file + ".new", "w", encoding="utf-8") as out:
            out.write("listen = { %s }\n%s\n" % (", ".join("'%s'" % a for a in listen), more))
        os.rename(self.file + ".new", self.file)

    def serve(self, *args, **options):
        return self.stack.enter_context(harness.Daemon("-c", self.file, *args, **options))

    def reload(self, daemon):
        """Returns the lines that it logs; the last one says how it went."""
        before = len(daemon.log)
        daemon.signal(signal.SIGHUP)
        end = re.compile(r"^(error: )?reload: .*(done in \d+ ms|stays as it was)$", re.MULTILINE)
        harness.wait_for(lambda: end.search(daemon.log[before:]), what="the end of the reload")
        return daemon.log[before:].splitlines()


class Listeners(Reloads):
    def test_are_added_and_removed(self):
        self.write("tcp://127.0.0.1:0", "unix://" + self.path("old"), "udp://127.0.0.1:0")
        daemon = self.serve()
        kept, gone = daemon.address("tcp"), daemon.address("udp")
        self.write("tcp://127.0.0.1:0", "unix://" + self.path("new"), "unix-dgram://" +
                   self.path("datagrams"), "unix-seqpacket://" + self.path("packets"),
                   "fdpass://" + self.path("descriptors"))
        lines = self.reload(daemon)
        self.assertEqual(sorted(lines[:-1]), sorted([
            "no longer listening unix://" + self.path("old"), "no longer listening " + gone,
            "listening unix://" + self.path("new"),
            "listening unix-dgram://" + self.path("datagrams"),
            "listening unix-seqpacket://" + self.path("packets"),
            "listening fdpass://" + self.path("descriptors")]))
        self.assertRegex(clients.ask_stream(kept), clients.UPTIME_LINE)
        for scheme, name in (("unix", "new"), ("unix-dgram", "datagrams"),
                             ("unix-seqpacket", "packets")):
            self.assertRegex(local.ask(scheme, self.path(name)), clients.UPTIME_LINE)
        self.assertRegex(local.ask_fdpass(self.path("descriptors")), clients.UPTIME_LINE)
        self.assertFalse(os.path.exists(self.path("old")))
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(os.listdir(self.directory), ["ruptimed.conf"])

    def test_queues(self):
        keys = [xsi.free_key() for _ in range(3)]
        self.write("msgq://%d" % keys[0], "msgq://%d" % keys[1])
        daemon = self.serve()
        local.ask_msgq(keys[0])
        kept = xsi.msgget(keys[0])
        self.write("msgq://%d" % keys[0], "msgq://%d" % keys[2])
        self.reload(daemon)
        for key in (keys[0], keys[2]):
            local.ask_msgq(key)
        self.assertEqual(xsi.msgget(keys[0]), kept)
        self.assertFalse(xsi.exists(keys[1]))
        self.assertEqual(daemon.stop(), 0)
        for key in keys:
            self.assertFalse(xsi.exists(key) or xsi.exists(key | xsi.REPLY_BIT))

    @unittest.skipIf(os.geteuid() != 0, "only root opens such ports")
    def test_take_the_rights_that_it_was_started_with(self):
        """The server has given them up; as nobody, in its sandbox, it could not."""
        self.write("tcp://127.0.0.1:0", more="user = nobody")
        port = next(p for p in range(600, 1000) if self.is_free(p))
        daemon = self.serve()
        os.mkdir(self.path("closed"), 0o700)
        self.write("tcp://127.0.0.1:%d" % port, "unix://" + self.path("closed/s"),
                   more="user = nobody")
        self.reload(daemon)
        self.assertRegex(clients.ask_stream("tcp://127.0.0.1:%d" % port), clients.UPTIME_LINE)
        self.assertRegex(local.ask("unix", self.path("closed/s")), clients.UPTIME_LINE)

    @staticmethod
    def is_free(port):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True

    def test_who_waits_at_one_that_goes_is_answered(self):
        gate = self.path("gate")
        slow = harness.fake_command(self.directory,
                                    "touch %s.started; while [ ! -e %s ]; do sleep .01; done; "
                                    "echo up" % (gate, gate))
        self.write("tcp://127.0.0.1:0", "unix://" + self.path("old"))
        daemon = self.serve("--run-timeout=30s", command=slow)
        socks = [self.stack.enter_context(local.connect("unix", self.path("old")))
                 for _ in range(20)]
        harness.wait_for(lambda: os.path.exists(gate + ".started"), what="a run")
        socks += [self.stack.enter_context(local.connect("unix", self.path("old")))
                  for _ in range(20)]
        self.write("tcp://127.0.0.1:0")
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("no longer listening")
        # The next server serves, while the one before still answers.
        with open(gate, "w", encoding="ascii"):
            pass
        for sock in socks:
            self.assertEqual(clients.read_to_end(sock), b"up\n")
            sock.close()
        daemon.wait_log("reload: done")
        self.assertEqual(clients.ask_stream(daemon.address("tcp")), b"up\n")


class Settings(Reloads):
    def test_change(self):
        self.write("tcp://127.0.0.1:0", more="workers = 2\nmax-age = 0")
        daemon = self.serve()
        self.write("tcp://127.0.0.1:0", more="workers = 5\nmax-age = 1h\nverbose = yes\n")
        lines = self.reload(daemon)
        self.assertEqual(lines[:-1], ["reload: workers = 5, was 2", "reload: max-age = 1h, was 0",
                                      "reload: verbose = true, was false"])
        self.assertEqual(clients.ask_stream(daemon.address("tcp")),
                         clients.ask_stream(daemon.address("tcp")))
        names = []
        for task in os.listdir("/proc/%d/task" % daemon.pid):
            with open("/proc/%d/task/%s/comm" % (daemon.pid, task), encoding="ascii") as comm:
                names.append(comm.read())
        self.assertEqual(sum(name.startswith("worker-") for name in names), 5)

    def test_that_take_a_restart_say_so(self):
        self.write("tcp://127.0.0.1:0")
        daemon = self.serve()
        self.write("tcp://127.0.0.1:0", more="daemon = on\nuser = root\nqueue = 9\n")
        lines = self.reload(daemon)
        self.assertIn("reload: daemon = true, was false; it takes a restart", lines)
        self.assertIn("reload: user = root, was none; it takes a restart", lines)
        self.assertIn("reload: queue = 9, was 4096", lines)

    def test_of_the_command_line_stay(self):
        self.write("tcp://127.0.0.1:0", more="queue = 5")
        daemon = self.serve("-q", "7")
        self.write("tcp://127.0.0.1:0", more="queue = 9")
        self.assertEqual(len(self.reload(daemon)), 1)

    def test_counters_go_on(self):
        self.write("tcp://127.0.0.1:0", "udp://127.0.0.1:0")
        daemon = self.serve()
        for _ in range(3):
            for _ in range(2):
                clients.ask_stream(daemon.address("tcp"))
                clients.ask_datagram(daemon.address("udp"))
            self.reload(daemon)
        self.assertEqual(clients.state_at_rest(self, daemon, "tcp")["replies"], 6)
        self.assertEqual(clients.state_at_rest(self, daemon, "udp")["replies"], 6)


class Nothing(Reloads):
    """Whatever is wrong, the configuration stays as it was."""

    def unchanged(self, daemon, shown):
        lines = self.reload(daemon)
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("error: reload: "), lines[0])
        self.assertIn(shown, lines[0])
        self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)

    def test_is_changed_by_a_file_that_is_wrong(self):
        self.write("tcp://127.0.0.1:0")
        daemon = self.serve()
        self.write("tcp://127.0.0.1:0", "unix://" + self.path("new"), more="\nworkers = x")
        self.unchanged(daemon, self.file + ":3: workers = x: not a number")
        self.assertFalse(os.path.exists(self.path("new")))
        os.unlink(self.file)
        self.unchanged(daemon, "No such file")
        os.mkfifo(self.file)
        self.unchanged(daemon, self.file)

    def test_is_changed_by_an_address_that_cannot_be_served(self):
        self.write("tcp://127.0.0.1:0", "unix://" + self.path("old"))
        daemon = self.serve()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "tcp://127.0.0.1:%d" % taken.getsockname()[1]
            self.write("tcp://127.0.0.1:0", "unix://" + self.path("new"), address)
            self.unchanged(daemon, address + ": Address already in use")
        self.assertFalse(os.path.exists(self.path("new")))
        self.assertRegex(local.ask("unix", self.path("old")), clients.UPTIME_LINE)
        # And it can be tried again.
        lines = self.reload(daemon)
        self.assertIn("listening " + address, lines)
        self.assertIn("no longer listening unix://" + self.path("old"), lines)

    def test_is_left_when_the_reader_has_died(self):
        self.write("tcp://127.0.0.1:0")
        daemon = self.serve()
        reader = [p for p in harness.descendants(daemon.pid) if p.name == "ruptimed-reader"]
        os.kill(reader[0].pid, signal.SIGKILL)
        daemon.wait_log("the reader process has died")
        daemon.signal(signal.SIGHUP)
        self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)

    def test_leaks(self):
        key = xsi.free_key()
        self.write("tcp://127.0.0.1:0", "msgq://%d" % key, "unix://" + self.path("kept"))
        daemon = self.serve()
        self.reload(daemon)
        before = daemon.descriptors()
        for i in range(20):
            self.write("tcp://127.0.0.1:0", "msgq://%d" % key, "unix://" + self.path("kept"),
                       "unix://" + self.path("new%d" % (i % 2)),
                       more="workers = x" if i % 5 == 4 else "")
            self.reload(daemon)
        self.write("tcp://127.0.0.1:0", "msgq://%d" % key, "unix://" + self.path("kept"))
        self.reload(daemon)
        self.assertEqual(daemon.descriptors(), before)


class Load(Reloads):
    def test_no_request_on_a_listener_that_stays_fails(self):
        self.write("tcp://127.0.0.1:0", "udp://127.0.0.1:0", "unix://" + self.path("kept"))
        daemon = self.serve()
        seconds = clients.seconds(3, 60 * clients.LONG)
        loads = [clients.start_crowd(address, "-n", 8, "-d", seconds) for address in
                 (daemon.address("tcp"), daemon.address("udp"), "unix://" + self.path("kept"))]
        reloads = 0
        while all(load.poll() is None for load in loads):
            self.write("tcp://127.0.0.1:0", "udp://127.0.0.1:0", "unix://" + self.path("kept"),
                       "unix://" + self.path("new%d" % (reloads % 3)),
                       more="workers = %d" % (2 + reloads % 3))
            self.reload(daemon)
            reloads += 1
        for load in loads:
            clients.expect_all_answered(self, clients.finish_crowd(load))
        self.assertGreater(reloads, 3)
        print("# %d reloads" % reloads, flush=True)

    def test_signals_that_come_faster_than_it_reads(self):
        self.write("tcp://127.0.0.1:0")
        daemon = self.serve()
        for _ in range(50):
            daemon.signal(signal.SIGHUP)
            self.assertRegex(clients.ask_stream(daemon.address("tcp")), clients.UPTIME_LINE)
        self.assertEqual(daemon.stop(), 0)

    def test_a_stop_in_the_middle(self):
        for delay in (0, 0.001, 0.003, 0.01):
            with self.subTest(delay=delay):
                self.write("unix://" + self.path("old"))
                with harness.Daemon("-c", self.file) as daemon:
                    self.write("unix://" + self.path("old"), "unix://" + self.path("new"))
                    daemon.signal(signal.SIGHUP)
                    harness.let_pass(delay)
                    self.assertEqual(daemon.stop(), 0)
                for name in ("old", "new"):
                    self.assertFalse(os.path.exists(self.path(name)), name)

    def test_manager_is_told(self):
        manager = self.stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind(self.path("notify"))
        manager.settimeout(5 * harness.SLOW)
        self.write("tcp://127.0.0.1:0")
        daemon = self.serve(env={"NOTIFY_SOCKET": self.path("notify")})

        def words():
            while True:
                word = manager.recv(200)
                if not word.startswith(b"STATUS="):
                    return word

        self.assertEqual(words(), b"READY=1")
        for text in ("", "workers = x"):
            self.write("tcp://127.0.0.1:0", more=text)
            daemon.signal(signal.SIGHUP)
            self.assertRegex(words(), rb"^RELOADING=1\nMONOTONIC_USEC=\d+$")
            self.assertEqual(words(), b"READY=1")


if __name__ == "__main__":
    harness.main()

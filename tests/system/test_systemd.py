# SPDX-License-Identifier: MIT
"""The units of contrib/systemd: how much they close, and that the server works in what is left."""

import contextlib
import os
import re
import shutil
import subprocess
import unittest

import clients
import harness

UNITS = os.path.join(harness.SOURCE_DIR, "contrib", "systemd")
SYSTEMD = "/lib/systemd/systemd"

# A machine of its own: systemd as process 1, with a network, and file systems that can be written
# to, which no other machine has. What it finds of the real one it can only read.
BOOT = r"""
set -e
mount --make-rprivate /
mount -t proc proc /proc
# Of the real machine's control groups it sees its own.
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/lock /run/bin /run/etc /run/out
cp -a /etc/. /run/etc/
mount --bind /run/etc /etc
mount --bind "$OUT" /run/out
ip link set lo up
cp "$BUILD/src/ruptimed" "$BUILD/src/ruptime" /run/bin/
filled_in()
{
	sed "s#@sbindir@#/run/bin#; s#@sysconfdir@#/etc#" "$SOURCE/contrib/systemd/$1.in"
}
filled_in ruptimed.service > /run/systemd/system/ruptimed.service
filled_in takeover.conf > /run/takeover.conf
cp "$SOURCE/contrib/systemd/ruptimed.socket" /run/systemd/system/
cp "$SOURCE/contrib/systemd/ruptimed.sysusers" "$SOURCE/contrib/systemd/ruptimed.tmpfiles" /run/
cp "$SOURCE/contrib/ruptimed.conf" /etc/ruptimed.conf
for unit in service socket; do
	mkdir /run/systemd/system/ruptimed.$unit.d
	printf '[Unit]\nDefaultDependencies=no\n' > /run/systemd/system/ruptimed.$unit.d/try.conf
done
printf '%s\n' "$STEPS" > /run/steps
printf '[Unit]\nWants=try.service\nDefaultDependencies=no\n' > /run/systemd/system/try.target
cat > /run/systemd/system/try.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/sh /run/steps
X
mount -t tmpfs tmpfs /tmp
mount -o remount,bind,ro /
exec env -i container=lxc PATH="$PATH" "$SYSTEMD" --system --unit=try.target --show-status=no
"""

STEPS = r"""
step()
{
	name=$1
	shift
	"$@" > "/run/out/$name" 2>&1
	echo $? > "/run/out/$name.code"
}
main_pid()
{
	systemctl show -p MainPID --value ruptimed.service
}
systemd-sysusers /run/ruptimed.sysusers
systemd-tmpfiles --create /run/ruptimed.tmpfiles
step start systemctl start ruptimed.service
step ask /run/bin/ruptime 127.0.0.1
step show systemctl show -p ActiveState,StatusText,NRestarts ruptimed.service
step processes sh -c 'grep -h "^Uid\|^NoNewPrivs\|^Seccomp:" /proc/'"$(main_pid)"'/task/*/status'
step reload systemctl reload ruptimed.service
step ask_reloaded /run/bin/ruptime udp://127.0.0.1
step stop systemctl stop ruptimed.service
step result systemctl show -p Result,ActiveState ruptimed.service
step ask_stopped /run/bin/ruptime --tries=1 127.0.0.1
step socket systemctl start ruptimed.socket
step ask_tcp /run/bin/ruptime 127.0.0.1
step ask_udp /run/bin/ruptime udp://127.0.0.1
step ask_unix /run/bin/ruptime unix:///run/ruptime/stream
step ask_packets /run/bin/ruptime unix-seqpacket:///run/ruptime/packets
step restart systemctl restart ruptimed.service
step ask_restarted /run/bin/ruptime 127.0.0.1
kill -9 "$(main_pid)"
step ask_killed /run/bin/ruptime unix:///run/ruptime/stream
systemctl stop ruptimed.socket ruptimed.service
cp /run/takeover.conf /run/systemd/system/ruptimed.service.d/
systemctl daemon-reload
step start_anew systemctl start ruptimed.service
old=$(main_pid)
step takeover systemctl reload ruptimed.service
step ask_taken /run/bin/ruptime 127.0.0.1
timeout 10 sh -c 'while kill -0 '"$old"' 2>/dev/null; do :; done'
new=$(main_pid)
step others test "$new" != "$old" -a "$new" != 0
step show_taken systemctl show -p ActiveState,NRestarts ruptimed.service
step takeover_again systemctl reload ruptimed.service
step ask_again /run/bin/ruptime udp://127.0.0.1
step stop_taken systemctl stop ruptimed.service
step result_taken systemctl show -p Result,ActiveState ruptimed.service
echo over > /run/out/over
"""


# Before that: process 1 joins the group that is to be the root of all that it sees.
JOIN = """
echo $$ > "$GROUP/cgroup.procs" && exec unshare --cgroup sh -c "$BOOT"
"""


@contextlib.contextmanager
def control_group(directory):
    """A group of its own for what the with block starts, and kills; None: there is none here."""
    mounted = os.path.join(directory, "groups")
    os.mkdir(mounted)
    if subprocess.run(["mount", "-t", "cgroup2", "groups", mounted], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        yield None
        return
    group = os.path.join(mounted, "ruptime-%d" % os.getpid())

    def is_empty():
        with open(os.path.join(group, "cgroup.events"), encoding="ascii") as events:
            return "populated 0" in events.read()
    try:
        os.mkdir(group)
        try:
            yield group
        finally:
            harness.wait_for(is_empty, what="the end of all in " + group)
            for path, _, _ in os.walk(group, topdown=False):
                os.rmdir(path)
    finally:
        subprocess.run(["umount", mounted], check=True)


def unit_path(directory):
    """The service as it is installed, in DIRECTORY."""
    path = os.path.join(directory, "ruptimed.service")
    with open(os.path.join(UNITS, "ruptimed.service.in"), encoding="ascii") as unit, \
            open(path, "w", encoding="ascii") as out:
        out.write(unit.read().replace("@sbindir@", "/usr/sbin").replace("@sysconfdir@", "/etc"))
    return path


class Exposure(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_is_small(self):
        with harness.tempdir() as directory:
            done = harness.run(["systemd-analyze", "security", "--offline=true",
                                unit_path(directory)])
            found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
            if not found:
                self.skipTest("this systemd-analyze has no --offline")
            self.assertLessEqual(float(found.group(1)), 1.5, done.stdout)
            self.assertNotIn("ignoring", done.stderr)

    def test_what_would_break_it_is_not_there(self):
        """Each would be one more point closed, and close what the server is for."""
        with open(os.path.join(UNITS, "ruptimed.service.in"), encoding="ascii") as unit:
            settings = re.findall(r"^(\w+)=", unit.read(), re.MULTILINE)
        for trap in ("PrivateIPC", "ProcSubset", "RemoveIPC", "PrivateNetwork", "PrivateUsers",
                     "RuntimeDirectory"):
            self.assertNotIn(trap, settings)


@unittest.skipIf(os.geteuid() != 0, "only root starts a machine")
@unittest.skipUnless(os.path.exists(SYSTEMD) and shutil.which("unshare") and shutil.which("ip"),
                     "no systemd, unshare(1) or ip(8) here")
@unittest.skipIf(harness.SLOW > 1, "a sanitizer needs more than the unit leaves")
class Machine(unittest.TestCase):
    def boot(self, directory, group):
        environment = harness.environment({
            "BUILD": harness.BUILD_DIR, "SOURCE": harness.SOURCE_DIR, "OUT": directory,
            "STEPS": STEPS, "SYSTEMD": SYSTEMD, "BOOT": BOOT, "GROUP": group})
        with open(os.path.join(directory, "boot"), "wb") as log:
            machine = subprocess.Popen(
                ["unshare", "--fork", "--pid", "--mount", "--uts", "--ipc", "--net",
                 "--kill-child", "sh", "-c", JOIN], env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        over = os.path.join(directory, "over")
        try:
            harness.wait_for(lambda: os.path.exists(over) or machine.poll() is not None, 60)
        except AssertionError:
            pass
        finally:
            # And with the process 1 of its name space all others in there.
            machine.kill()
            machine.wait()

    def test_units(self):
        with harness.tempdir() as directory:
            with control_group(directory) as group:
                if not group:
                    self.skipTest("no control groups of version 2 here")
                self.boot(directory, group)

            def read(name):
                with open(os.path.join(directory, name), encoding="utf-8",
                          errors="replace") as out:
                    return out.read()

            if not os.path.exists(os.path.join(directory, "start")):
                self.skipTest("systemd does not start here: " + read("boot")[-300:])
            self.assertTrue(os.path.exists(os.path.join(directory, "over")), read("boot"))
            for step in ("start", "reload", "stop", "socket", "restart", "start_anew", "takeover",
                         "others", "takeover_again", "stop_taken"):
                self.assertEqual(read(step + ".code"), "0\n", step + ": " + read(step))
            for step in ("ask", "ask_reloaded", "ask_tcp", "ask_udp", "ask_unix", "ask_packets",
                         "ask_restarted", "ask_killed", "ask_taken", "ask_again"):
                self.assertRegex(read(step).encode(), clients.UPTIME_LINE, step)
            self.assertNotEqual(read("ask_stopped.code"), "0\n")
            show = read("show")
            self.assertIn("ActiveState=active\n", show)
            self.assertRegex(show, r"StatusText=\d+ requests: ")
            self.assertIn("NRestarts=0\n", show)
            self.assertEqual(read("result"), "Result=success\nActiveState=inactive\n")
            self.assertEqual(read("show_taken"), "NRestarts=0\nActiveState=active\n")
            self.assertEqual(read("result_taken"), "Result=success\nActiveState=inactive\n")
            processes = read("processes")
            self.assertNotIn("Uid:\t0\t", processes)
            self.assertEqual(set(re.findall(r"^NoNewPrivs:\t(\d)", processes, re.MULTILINE)),
                             {"1"})
            self.assertEqual(set(re.findall(r"^Seccomp:\t(\d)", processes, re.MULTILINE)), {"2"})


if __name__ == "__main__":
    harness.main()

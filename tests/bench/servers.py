# SPDX-License-Identifier: MIT
"""What is measured: ruptimed, the floor, the book's server and servers that others wrote."""

import contextlib
import itertools
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE_DIR = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD_DIR = os.environ.get("RUPTIME_BUILD_DIR") or SOURCE_DIR
RUPTIMED = os.path.join(BUILD_DIR, "src", "ruptimed")
FLOOR = os.path.join(BUILD_DIR, "tests", "bench", "floor")
UPTIME = "/usr/bin/uptime"
LINE = " 12:34:56 up 12 days,  3:45,  2 users,  load average: 0.12, 0.34, 0.56"
TRANSPORTS = ("tcp", "udp", "unix", "msgq")
READY_S = 10
POLL_S = 0.005
MSGQ_KEY = 0x0b000000 | os.getpid() & 0xfffff
NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so"

# So many can stand beside each other before a key comes again.
_numbers = itertools.cycle(range(1, 48))


def raise_descriptor_limit():
    """For us and all that we start: thousands in flight are as many descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def family_of(pid):
    """PID and all that descend from it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open("/proc/%s/stat" % entry, "rb") as stat:
                parents[int(entry)] = int(stat.read().rpartition(b")")[2].split()[1])
    family = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in family} - family
        if not more:
            return family
        family |= more


def cpu_s(pid):
    """The CPU time of PID and its family; those who have ended count with who waited for them."""
    total = 0
    for member in family_of(pid):
        with contextlib.suppress(OSError), open("/proc/%d/stat" % member, "rb") as stat:
            waited_for = stat.read().rpartition(b")")[2].split()[13:15]
            # CLOCK_PROCESS_CPUTIME_ID of another process, to the nanosecond.
            total += time.clock_gettime(~member << 3 | 2)
            total += sum(map(int, waited_for)) / os.sysconf("SC_CLK_TCK")
    return total


def thread_cpu_s(pid):
    """The CPU time of each thread of PID, by name; worker-0, worker-1 and so on are one."""
    found = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, tid), encoding="utf-8") as comm:
            name = re.sub(r"-\d+$", "", comm.read().strip())
        with open("/proc/%d/task/%s/schedstat" % (pid, tid), encoding="ascii") as stat:
            found[name] = found.get(name, 0) + int(stat.read().split()[0]) / 1e9
    return found


class Server:
    """A server that runs as long as the with block, and knows its address and process number.

    SLOW: it runs uptime for each connection. WRAPPER: a command that runs it, and ends with it.
    """

    def __init__(self, name, argv, address=None, slow=False, wrapper=(), ready_s=READY_S):
        self.name, self.argv, self.address, self.slow = name, list(argv), address, slow
        self.wrapper, self.ready_s = list(wrapper), ready_s
        self.process = self.log = None

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.wrapper + self.argv, stdout=subprocess.DEVNULL,
                                        stdin=subprocess.DEVNULL, stderr=self.log,
                                        start_new_session=True)
        end = time.monotonic() + self.ready_s
        while not self.is_up():
            if time.monotonic() > end or self.process.poll() is not None:
                self.__exit__()
                raise RuntimeError("%s does not start:\n%s" % (self.name, self.text()))
            self.pause()
        return self

    def is_up(self):
        if self.address is None:
            found = re.search(r"^listening (\S+)$", self.text(), re.MULTILINE)
            self.address = found and found.group(1)
            return self.address is not None
        host, port = self.address[len("tcp://"):].rsplit(":", 1)
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return True
        return False

    def pause(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(POLL_S)

    def stop(self):
        """An orderly end; what a wrapper writes is there then."""
        with contextlib.suppress(OSError):
            os.kill(self.own_pid(), signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(READY_S)

    def own_pid(self):
        """The server itself, which may be a child of its wrapper."""
        for pid in sorted(family_of(self.pid)) if self.wrapper else ():
            with contextlib.suppress(OSError), open("/proc/%d/cmdline" % pid, "rb") as line:
                if line.read().decode().split("\0")[:-1] == self.argv:
                    return pid
        return self.pid

    def __exit__(self, *_):
        self.stop()
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def pid(self):
        return self.process.pid

    def text(self):
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size, 0).decode("utf-8", "replace")

    def state(self):
        """What ruptimed logs at SIGUSR1, whole; "" if it does not answer."""
        before = len(self.text())
        os.kill(self.pid, signal.SIGUSR1)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            said = self.text()[before:]
            if re.search(r"^state runs .*\n", said, re.MULTILINE):
                return said
            self.pause()
        return ""

    def runs(self):
        """How often it has measured, None if it cannot tell."""
        if self.wrapper or self.argv[0] != RUPTIMED:
            return None
        found = re.search(r"^state runs ok=(\d+)", self.state(), re.MULTILINE)
        return int(found.group(1)) if found else None


def listen_address(transport, directory):
    """Where one more server of ours can listen."""
    number = next(_numbers)
    return {"tcp": "tcp://127.0.0.1:0", "udp": "udp://127.0.0.1:0",
            "unix": "unix://%s/%d" % (directory, number),
            "msgq": "msgq://0x%x" % (MSGQ_KEY + (number << 20))}[transport]


def floor(transport, directory, **options):
    return Server("floor", [FLOOR, listen_address(transport, directory)], **options)


# Where a line comes from, and how the command is started for it.
WAYS = {"procps": ["-s", "procps"], "exec": ["-s", "exec"],
        "exec cold": ["-s", "exec", "--start=cold"]}


def ruptimed(way, transport, directory, *args, program=RUPTIMED, **options):
    return Server("ruptimed " + way,
                  [program, *WAYS[way], "-l", listen_address(transport, directory), *args],
                  **options)


def sources(*names):
    """Those of the NAMES, of WAYS, that ruptimed was built for."""
    def works(name):
        with contextlib.suppress(RuntimeError), \
                Server(name, [RUPTIMED, *WAYS[name], "-l", "tcp://127.0.0.1:0"]):
            return True
        print("ruptimed is built without %s, which is left out" % name,
              file=sys.stderr)
        return False
    return [name for name in names if works(name)]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def nginx(path, port, directory):
    load = "load_module %s;\n" % NGINX_STREAM if os.path.exists(NGINX_STREAM) else ""
    conf = write(os.path.join(directory, "nginx.conf"), load + """
        worker_processes 1; worker_rlimit_nofile %d;
        daemon off; pid %s/nginx.pid; error_log stderr crit;
        events { worker_connections 16384; }
        stream { access_log off;
                 server { listen 127.0.0.1:%d backlog=65535; return "%s\\n"; } }
        """ % (resource.getrlimit(resource.RLIMIT_NOFILE)[0], directory, port, LINE))
    return [path, "-c", conf, "-p", directory]


def xinetd(path, port, directory):
    conf = write(os.path.join(directory, "xinetd.conf"), """
        defaults
        {
            instances = UNLIMITED
            per_source = UNLIMITED
            cps = 1000000 1
        }
        service ruptime
        {
            type = UNLISTED
            socket_type = stream
            protocol = tcp
            bind = 127.0.0.1
            port = %d
            wait = no
            user = %d
            server = %s
        }
        """ % (port, os.geteuid(), UPTIME))
    return [path, "-dontfork", "-f", conf, "-pidfile", directory + "/xinetd.pid",
            "-filelog", directory + "/xinetd.log"]


def tcpserver(path, port, _directory):
    return [path, "-q", "-H", "-R", "-l0", "-c", "512", "-b", "4096", "127.0.0.1", str(port),
            UPTIME]


def socat(path, port, _directory):
    return [path, "TCP-LISTEN:%d,bind=127.0.0.1,fork,reuseaddr,backlog=4096" % port,
            "EXEC:" + UPTIME]


def peers(directory):
    """What people would use instead over TCP, as far as it is installed."""
    found = [Server("book (popen)", [FLOOR, "--popen", "tcp://127.0.0.1:0"], slow=True)]
    for name, argv_of, slow in (("nginx return", nginx, False), ("xinetd", xinetd, True),
                                ("tcpserver", tcpserver, True), ("socat", socat, True)):
        program = argv_of.__name__
        path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
        if path is None:
            print("%s is not installed and left out" % program, file=sys.stderr)
            continue
        port = free_port()
        found.append(Server(name, argv_of(path, port, directory), "tcp://127.0.0.1:%d" % port,
                            slow))
    return found

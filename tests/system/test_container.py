# SPDX-License-Identifier: MIT
"""contrib/kubernetes: ruptimed as process 1 of a container, its image, and the manifests.

There is no daemon that builds images here. The steps of the Containerfile are done in copies of a
bare Debian, which tests/roots makes; the container is made of namespaces, with a root that cannot
be written to, a user that is nobody, and no capability.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import harness

FOLDER = os.path.join(harness.SOURCE_DIR, "contrib", "kubernetes")
MANIFESTS = [os.path.join(FOLDER, name) for name in ("ruptimed.yaml", "servicemonitor.yaml")]
ROOTS = os.environ.get("RUPTIME_ROOTS") or "/var/cache/ruptime-roots"
ROOT = os.path.join(ROOTS, "trixie-amd64")
USER = 65532

UNSHARE = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc", "--net"]

# $1: the root, $2: the program's path there, and its arguments behind it.
START = """set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
[ "$1" = / ] || mount --rbind /dev "$1/dev"
mount -o remount,bind,ro "$1"
ip link set lo up
root=$1
shift
exec chroot "$root" setpriv --reuid=65532 --regid=65532 --clear-groups --no-new-privs \
	--bounding-set=-all --inh-caps=-all "$@"
"""

SCHEMAS = """
const modules = {"monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/"};
for (const d of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
  const prefix = modules[d.apiVersion] || "kubernetes-models/";
  new (require(prefix + d.apiVersion)[d.kind])(d).validate();
  console.log(d.kind);
}
"""


def documents():
    try:
        import yaml
    except ImportError:
        raise unittest.SkipTest("no python3-yaml here") from None
    result = []
    for path in MANIFESTS:
        with open(path, encoding="utf-8") as file:
            result += yaml.safe_load_all(file)
    return result


def containerfile():
    """Its instructions: (name, text), a stage each."""
    with open(os.path.join(FOLDER, "Containerfile"), encoding="utf-8") as file:
        text = re.sub(r"(?m)^#.*\n", "", file.read()).replace("\\\n", " ")
    stages = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, rest = line.split(None, 1)
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, rest))
    return stages


class Manifests(unittest.TestCase):
    def setUp(self):
        self.documents = documents()
        self.by_kind = {document["kind"]: document for document in self.documents}
        self.pod = self.by_kind["DaemonSet"]["spec"]["template"]
        self.container, = self.pod["spec"]["containers"]

    def test_schemas(self):
        """Against those of Kubernetes, which `npm install kubernetes-models@4
        @kubernetes-models/prometheus-operator@4` brings; NODE_PATH says where they are."""
        node = shutil.which("node")
        for module in ("kubernetes-models", "@kubernetes-models/prometheus-operator"):
            if not node or subprocess.run([node, "-e", "require('%s/package.json')" % module],
                                          capture_output=True, check=False).returncode != 0:
                self.skipTest("no schemas here: node has no %s" % module)
        done = harness.run([node, "-e", SCHEMAS], input=json.dumps(self.documents))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.split(), [d["kind"] for d in self.documents])
        self.container["ports"][0]["containerPort"] = "tcp"
        done = harness.run([node, "-e", SCHEMAS], input=json.dumps(self.documents))
        self.assertIn("containerPort must be integer", done.stderr)

    def test_all_speak_of_the_same(self):
        labels = self.pod["metadata"]["labels"].items()
        service = self.by_kind["Service"]
        policy = self.by_kind["NetworkPolicy"]["spec"]
        monitor = self.by_kind["ServiceMonitor"]["spec"]
        for selector, of in ((self.by_kind["DaemonSet"]["spec"]["selector"]["matchLabels"], labels),
                             (service["spec"]["selector"], labels),
                             (policy["podSelector"]["matchLabels"], labels),
                             (monitor["selector"]["matchLabels"],
                              service["metadata"]["labels"].items())):
            self.assertTrue(selector)
            self.assertLessEqual(selector.items(), of)
        ports = {port["name"]: port for port in self.container["ports"]}
        for port in service["spec"]["ports"]:
            self.assertEqual((port["port"], port["protocol"]),
                             (ports[port["targetPort"]]["containerPort"],
                              ports[port["targetPort"]]["protocol"]))
        for port in [port for rule in policy["ingress"] for port in rule["ports"]]:
            self.assertEqual(port["protocol"], ports[port["port"]]["protocol"])
        self.assertEqual({endpoint["port"] for endpoint in monitor["endpoints"]}, {"metrics"})
        for document in self.documents:
            if document["kind"] != "Namespace":
                self.assertEqual(document["metadata"]["namespace"], "ruptime")
        self.assertEqual(self.by_kind["Namespace"]["metadata"]["name"], "ruptime")

    def test_the_server_takes_its_arguments(self):
        args = self.container["args"]
        done = harness.run([harness.program("ruptimed"), "--check-config", *args])
        if "without libmicrohttpd" in done.stderr:
            self.skipTest("built without libmicrohttpd")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        self.assertEqual(ports, {"tcp": 8784, "udp": 8784, "metrics": 9784})
        self.assertIn("--metrics=tcp://*:%d" % ports["metrics"], args)
        for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            self.assertEqual(self.container[probe]["httpGet"], {"path": path, "port": "metrics"})
        # It is killed after the drain, which takes five seconds at most, and not within it.
        self.assertGreater(self.pod["spec"]["terminationGracePeriodSeconds"],
                           self.container["lifecycle"]["preStop"]["sleep"]["seconds"] + 5)

    def test_nothing_is_permitted_that_is_not_needed(self):
        self.assertEqual(self.container["securityContext"], {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]}})
        self.assertEqual(self.pod["spec"]["securityContext"]["runAsUser"], USER)
        self.assertFalse(self.pod["spec"]["automountServiceAccountToken"])
        last = dict(containerfile()[-1])
        self.assertEqual(last["USER"], "%d:%d" % (USER, USER))
        with open(os.path.join(harness.SOURCE_DIR, "configure.ac"), encoding="utf-8") as file:
            version = re.search(r"AC_INIT\(\[ruptime\], \[([^]]+)\]", file.read())[1]
        self.assertEqual(self.container["image"], "ruptimed:" + version)


class Container:
    """A ruptimed as process 1, in a with block."""

    def __init__(self, root, program, *args):
        self.argv = UNSHARE + ["sh", "-c", START, "sh", root, program, "--ready-fd=1", *args]

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=harness.environment())
        if self.process.stdout.read(1) != b"\n":
            self.process.wait(10 * harness.SLOW)
            raise AssertionError(self.process.stderr.read().decode())
        self.pid, = [process.pid for process in harness.processes()
                     if process.parent == self.process.pid]
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10 * harness.SLOW)
        self.process.stdout.close()
        self.process.stderr.close()

    def status(self, pid, field):
        with open("/proc/%d/status" % pid, encoding="ascii") as status:
            return re.search(r"(?m)^%s:\s*(.*)$" % field, status.read())[1]

    def inside(self, *argv, **options):
        """Run a program of ours in the container's networks, or all its namespaces."""
        return harness.run(["nsenter", "--net=/proc/%d/ns/net" % self.pid, *argv], **options)


def cannot_make_one():
    if os.geteuid() != 0:
        return "only root can make a container"
    for name in ("unshare", "nsenter", "setpriv", "ip"):
        if not shutil.which(name):
            return "no %s(1) here" % name
    done = subprocess.run(UNSHARE + ["sh", "-c", START, "sh", "/", "true"], capture_output=True,
                          text=True, check=False)
    return done.stderr if done.returncode else None


NO_CONTAINER = cannot_make_one()


class ProcessOne(unittest.TestCase):
    limit_s = 900

    def check(self, root, program, *args):
        with Container(root, program, "-l", "tcp://*", "-l", "udp://*", *args) as container:
            pid = container.pid
            self.assertEqual(container.status(pid, "NSpid").split()[-1], "1")
            self.assertEqual(set(container.status(pid, "Uid").split()), {str(USER)})
            for field in ("CapEff", "CapPrm", "CapBnd"):
                self.assertEqual(int(container.status(pid, field), 16), 0, field)
            self.assertEqual(container.status(pid, "NoNewPrivs"), "1")
            with open("/proc/%d/mountinfo" % pid, encoding="utf-8") as mounts:
                root_mount = next(line for line in mounts if line.split()[4] == "/")
            self.assertRegex(root_mount, r" ro[, ]")
            done = container.inside(harness.program("ruptime"), "-a", "tcp://127.0.0.1",
                                    "udp://127.0.0.1")
            self.assertEqual((done.returncode, done.stdout.count("  up ")), (0, 2), done.stderr)
            self.check_metrics(container, args)
            self.check_orphan(container)
            os.kill(pid, signal.SIGTERM)
            self.assertEqual(container.process.wait(10 * harness.SLOW), 0)
            said = container.process.stderr.read().decode()
        self.assertIn("listening tcp://", said)

    def check_metrics(self, container, args):
        if not args:
            return
        fetch = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).status)"
        for path in ("healthz", "readyz", "metrics"):
            done = container.inside("python3", "-c", fetch, "http://127.0.0.1:9784/" + path)
            self.assertEqual(done.stdout, "200\n", done.stderr)

    def check_orphan(self, container):
        """A child of a probe that has gone becomes one of process 1: it is waited for."""
        script = "sleep 1000 & echo"
        subprocess.run(["nsenter", "--pid=/proc/%d/ns/pid" % container.pid, "sh", "-c", script],
                       stdout=subprocess.DEVNULL, check=True)

        def orphans():
            return [process for process in harness.descendants(container.pid)
                    if process.name == "sleep"]
        harness.wait_for(orphans, what="the orphan to be process 1's")
        os.kill(orphans()[0].pid, signal.SIGKILL)
        harness.wait_for(lambda: not orphans(), timeout=10, what="the orphan to be waited for")

    @unittest.skipIf(NO_CONTAINER, NO_CONTAINER)
    @unittest.skipIf(harness.SLOW > 1, "a sanitizer wants to write files and to trace")
    def test_as_built(self):
        done = harness.run([harness.program("ruptimed"), "--metrics=tcp://*:1", "--check-config"])
        metrics = [] if done.returncode else ["--metrics=tcp://*:9784"]
        self.check("/", harness.within_reach(harness.program("ruptimed")), *metrics)

    @unittest.skipUnless(os.environ.get("RUPTIME_TEST_LONG"), "a part of make check-long")
    @unittest.skipIf(NO_CONTAINER, NO_CONTAINER)
    @unittest.skipUnless(os.path.isdir(ROOT), "no bare Debian here: tests/roots trixie makes one")
    def test_image(self):
        with harness.tempdir() as directory:
            build, image = directory + "/build", directory + "/image"
            begun = time.monotonic()
            for root, stage in zip((build, image), containerfile()):
                subprocess.run(["cp", "-a", "--reflink=auto", ROOT, root], check=True)
                shutil.copy("/etc/resolv.conf", root + "/etc/resolv.conf")
                self.do_steps(root, stage, build)
            size = subprocess.run(["du", "-sm", image], capture_output=True, text=True, check=True)
            print("# built in %.0f s, %s MiB" % (time.monotonic() - begun, size.stdout.split()[0]))
            stage = dict(containerfile()[-1])
            program, = json.loads(stage["ENTRYPOINT"])
            harness.run(["chroot", image, "ruptime", "--version"]).check_returncode()
            self.check(image, program, "--metrics=tcp://*:9784")

    def do_steps(self, root, stage, build):
        where = "/"
        for name, text in stage:
            if name == "WORKDIR":
                where = text
                os.makedirs(root + where, exist_ok=True)
            elif name == "RUN":
                self.run_step(root, where, text)
            elif name == "COPY" and text == ". /src":
                shutil.copytree(harness.SOURCE_DIR, root + "/src", symlinks=True,
                                ignore=shutil.ignore_patterns("build*", ".git"))
            elif name == "COPY":
                source, target = re.fullmatch(r"--from=build (\S+) (\S+)", text).groups()
                shutil.copy(build + source, root + target)
            else:
                self.assertIn(name, ("FROM", "USER", "EXPOSE", "ENTRYPOINT"))

    def run_step(self, root, where, text):
        script = 'mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; root=$1; shift; ' \
            'exec chroot "$root" sh -c "$@"'
        environment = {name: os.environ[name] for name in ("http_proxy", "https_proxy")
                       if name in os.environ}
        environment.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root",
                           DEBIAN_FRONTEND="noninteractive")
        done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "sh",
                               root, "cd %s && %s" % (where, text)], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])


if __name__ == "__main__":
    harness.main()

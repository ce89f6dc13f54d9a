#!/usr/bin/env python3
"""Ends and kills a Docker daemon of its own while tasks run in it, and starts it anew.

    engine.py MLPIPE [CASE...]

Needs root and dockerd. The daemon lives in a network namespace of its own, for one without a bridge
takes the bridge of any other away.
"""
import os
import signal
import subprocess
import sys
import tempfile
import time

import support
from cases import attempts, log_has
from support import Root, expect

IMAGE = "mlpipe/base:bookworm"


class Daemon:
    """`namespaces`: a process in whose network and mounts it lives, for its mounts outlive it. `disk`: megabytes of a disk of
    its own, for its images and containers; 0: none."""

    def __init__(self, folder, namespaces, disk, *flags):
        self.socket = f"unix://{folder}/docker.sock"
        self.inside = ["nsenter", "--net", "--mount", "--target", str(namespaces)]
        self.data = f"{folder}/small" if disk else f"{folder}/data"
        os.makedirs(self.data, exist_ok=True)
        if disk:
            self.do("mount", "-t", "tmpfs", "-o", f"size={disk}m", "tmpfs", self.data)
        self.command = [*self.inside, "dockerd", "--data-root", self.data, "--exec-root", f"{folder}/exec", "--pidfile",
                        f"{folder}/pid", "-H", self.socket, "--bridge=none", "--iptables=false", "--ip6tables=false",
                        "--shutdown-timeout=2", *flags]
        self.folder, self.disk = folder, disk
        self.log = open(f"{folder}/log", "a")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        for _ in range(300):
            if self.process.poll() is None and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise support.Broken("the daemon does not come up: " + "".join(open(f"{self.folder}/log").readlines()[-5:]))

    def do(self, *command):
        """In its namespaces."""
        subprocess.run([*self.inside, *command], timeout=support.PATIENCE, check=True)

    def fill_disk(self):
        self.do("sh", "-c", f"cd {self.data}; cat /dev/zero >filling 2>/dev/null || cat /dev/zero >rest 2>/dev/null || :")

    def empty_disk(self):
        self.do("rm", "-f", f"{self.data}/filling", f"{self.data}/rest")

    def end(self, number):
        with open(f"{self.folder}/exec/containerd/containerd.pid") as file:
            containerd = file.read()
        self.process.send_signal(number)
        self.process.wait(60)
        # It goes with the daemon, but where nobody waits for orphans it stays as a zombie, which the next daemon takes for
        # a containerd that runs.
        while is_alive(containerd):
            time.sleep(0.05)
        if os.path.exists(file.name):
            os.remove(file.name)


def is_alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def copy_image():
    """From the engine that runs here to the daemon."""
    outer = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode == 0:
        return
    save = subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE, env=outer)
    subprocess.run(["docker", "load"], stdin=save.stdout, stdout=subprocess.DEVNULL, check=True)
    save.wait()


def begin(root, script):
    path = os.path.join(root.folder, "pipeline.yaml")
    with open(path, "w") as file:
        file.write(f"name: case\ntasks:\n  work:\n    image: {IMAGE}\n    network: none\n    outputs: {{table: Dataset}}\n"
                   f"    script: |\n      {script}\n      echo x >\"$MLPIPE_OUTPUT_TABLE\"\n")
    process = root.start("run", path, "--run-id", "one", "--grace", "1s")
    root.wait_for("the task's first line", lambda: log_has(root, "work", "begun"))
    root.wait_for("running on record", lambda: root.show("one")["tasks"][0]["state"] == "running")
    return process


LONG_AT_FIRST = '''echo begun; [ "$MLPIPE_ATTEMPT" != 1 ] || sleep 60'''


def is_lost_and_tried_again(root):
    # While the engine goes down another attempt may be lost; none counts against the task's own tries, of which it has one.
    states = [state for state, _ in attempts(root)]
    expect(len(states) > 1 and states[-1] == "succeeded" and set(states[:-1]) <= {"lost", "infrastructure"},
           f"attempts: {attempts(root)}")
    root.check("one")


def terminated(root, daemon):
    process = begin(root, LONG_AT_FIRST)
    daemon.end(signal.SIGTERM)
    time.sleep(1)
    daemon.start()
    root.watch()
    expect(process.wait(support.PATIENCE) == 0, "the run fails")
    is_lost_and_tried_again(root)


def killed(root, daemon):
    process = begin(root, LONG_AT_FIRST)
    daemon.end(signal.SIGKILL)
    time.sleep(1)
    daemon.start()
    root.watch()
    expect(process.wait(support.PATIENCE) == 0, "the run fails")
    is_lost_and_tried_again(root)


def killed_with_live_restore(root, daemon):
    process = begin(root, "echo begun; sleep 6; echo over")
    daemon.end(signal.SIGKILL)
    time.sleep(1)
    daemon.start()
    root.watch()
    expect(process.wait(support.PATIENCE) == 0, "the run fails")
    expect(attempts(root) == [("succeeded", 0)], f"attempts: {attempts(root)}")
    expect(log_has(root, "work", "[mlpipe: the connection to the container engine broke here"), "the log says nothing of the gap")
    expect(log_has(root, "work", "over\n"), "the log has no end")
    root.check("one")


def terminated_while_mlpipe_is_dead(root, daemon):
    process = begin(root, LONG_AT_FIRST)
    process.kill()
    process.wait()
    daemon.end(signal.SIGTERM)
    daemon.start()
    root.watch()
    expect(root.call("resume") == 0, "it does not succeed")
    is_lost_and_tried_again(root)


# ---- Its disk ----

SMALL = 500  # megabytes: the image and a little



def its_disk_is_full(root, daemon):
    """Too full to make a container: told as the world's fault, with the reason; goes on when there is room."""
    path = os.path.join(root.folder, "pipeline.yaml")
    with open(path, "w") as file:
        file.write(f"name: case\ndefaults: {{image: {IMAGE}, network: none}}\ntasks:\n"
                   "  before:\n    outputs: {table: Dataset}\n    script: echo x >\"$MLPIPE_OUTPUT_TABLE\"\n"
                   "  work:\n    after: [before]\n    outputs: {table: Dataset}\n    script: |\n"
                   "      echo begun; echo x >\"$MLPIPE_OUTPUT_TABLE\"\n")
    expect(root.call("run", path, "--run-id", "usual") == 0, "the undisturbed run fails")
    daemon.fill_disk()
    code, said = root.ask("run", path, "--run-id", "one", "--no-cache")
    expect(code in (1, 3), f"exit code {code}: {said}")
    expect("no space left on device" in said.lower(), f"it does not say why: {said}")
    if code == 1:
        states = {state for task in ("before", "work") for state, _ in attempts(root, task)}
        expect(states <= {"infrastructure", "lost"}, f"attempts: {states}")
    daemon.empty_disk()
    if code == 1:
        expect(root.call("resume", "one", "--retry-failed", "--run-id", "two") == 0, "it does not go on when there is room")
        root.check("two", root.digests("usual"))
    else:
        expect(root.call("resume", "one") == 0, "it does not go on when there is room")
        root.check("one", root.digests("usual"))


def its_disk_fills_up_under_a_task(root, daemon):
    """The task meets it by itself, and says so; the run is not disturbed otherwise."""
    path = os.path.join(root.folder, "pipeline.yaml")
    with open(path, "w") as file:
        file.write(f"name: case\ndefaults: {{image: {IMAGE}, network: none, user: image}}\ntasks:\n"
                   "  work:\n    outputs: {table: Dataset}\n"
                   "    script: |\n      dd if=/dev/zero of=/filling bs=1M || exit 28\n      echo x >\"$MLPIPE_OUTPUT_TABLE\"\n")
    code, said = root.ask("run", path, "--run-id", "one")
    expect(code == 1 and "exit code 28" in said and "No space left on device" in said, f"exit code {code}: {said}")
    expect(attempts(root) == [("user_exit", 28)], f"attempts: {attempts(root)}")
    root.check("one", state="failed")


# ---- Images ----

def gc_of_images(root, daemon):
    """Takes the images that it built and that no run here used, and no other."""
    folder = os.path.join(root.folder, "component")
    os.makedirs(folder)

    def run(name, text):
        with open(f"{folder}/Dockerfile", "w") as file:
            file.write(f"FROM {IMAGE}\nLABEL text={text}\n")
        with open(f"{folder}/component.yaml", "w") as file:
            file.write("name: built\noutputs: [{name: table, type: Dataset}]\nimplementation:\n  container:\n    build: .\n"
                       "    command: [sh, -c, 'mkdir -p $(dirname $0); echo x >$0', {outputPath: table}]\n")
        path = os.path.join(root.folder, "pipeline.yaml")
        with open(path, "w") as file:
            file.write("name: case\ntasks:\n  work:\n    component: component\n    network: none\n")
        expect(root.call("run", path, "--run-id", name, "--no-cache") == 0, f"run {name} fails")

    def images():
        return set(subprocess.run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"], capture_output=True, text=True,
                                  timeout=support.PATIENCE, check=True).stdout.split())

    before = images()
    run("one", "a")
    old = images() - before
    run("two", "b")
    new = images() - before - old
    # Each by the name it was built as, and by that of the root which holds it.
    expect(len(old) == 2 and len(new) == 2, f"images: {old} and {new}")
    shared = min(old, key=len)
    subprocess.run(["docker", "tag", shared, shared + "-0123abcd"], check=True)  # as if another root held it
    subprocess.run(["docker", "tag", IMAGE, "mlpipe/mine:0123456789ab"], check=True)  # as if another root had built it
    subprocess.run(["docker", "tag", IMAGE, "mlpipe/mine:latest"], check=True)
    # That one is taken for one of its own, but a container uses it: it stays.
    subprocess.run(["docker", "run", "-d", "--name", "stranger", "--network", "none", "mlpipe/mine:0123456789ab", "sleep", "60"],
                   check=True, stdout=subprocess.DEVNULL)
    expect(root.call("gc", "--images", "--keep", "1") == 0, "gc fails")
    expect(old | new <= images(), "a gc without --yes takes images")
    expect(root.call("gc", "--images", "--keep", "1", "--yes") == 0, "gc fails")
    expect(old & images() == {shared}, "of an image that another root holds more went than this root's name")
    subprocess.run(["docker", "rmi", shared + "-0123abcd"], check=True, stdout=subprocess.DEVNULL)
    expect(root.call("gc", "--images", "--yes") == 0, "gc fails")
    expect(not old & images(), "the image of the run that went is left")
    expect(new | before <= images(), "images are gone that a run or nobody of ours made")
    expect("mlpipe/mine:latest" in images(), "an image with another tag is gone")
    stranger = subprocess.run(["docker", "rm", "-f", "stranger"], capture_output=True, text=True, check=False)
    expect(stranger.stdout.strip() == "stranger", "the container of a stranger is gone")
    root.check("two")


# Each with the megabytes of the daemon's own disk, and its flags.
CASES = [(terminated, 0, []), (killed, 0, []), (killed_with_live_restore, 0, ["--live-restore"]),
         (terminated_while_mlpipe_is_dead, 0, []), (gc_of_images, 0, []), (its_disk_is_full, SMALL, []),
         (its_disk_fills_up_under_a_task, SMALL, [])]


def main():
    support.skip_without_engine()
    may = subprocess.run(["unshare", "--net", "--mount", "dockerd", "--version"], capture_output=True, check=False)
    if os.geteuid() != 0 or may.returncode != 0:
        print("needs root, unshare and dockerd: skipped")
        sys.exit(77)
    mlpipe, wanted = sys.argv[1], sys.argv[2:]
    failures = 0
    namespaces = subprocess.Popen(["unshare", "--net", "--mount", "sleep", "infinity"])
    time.sleep(0.3)
    with tempfile.TemporaryDirectory(prefix="mlpipe-dockerd-") as folder:
        for case, disk, flags in CASES:
            if wanted and case.__name__ not in wanted:
                continue
            begun = time.monotonic()
            daemon = Daemon(folder, namespaces.pid, disk, *flags)
            os.environ["DOCKER_HOST"] = daemon.socket
            daemon.start()
            copy_image()
            try:
                with Root(mlpipe) as root:
                    try:
                        case(root, daemon)
                    except support.Broken as error:
                        support.tell(root, case.__name__, error)
                        raise
                print(f"{case.__name__}: {time.monotonic() - begun:.1f} s", flush=True)
            except support.Broken:
                failures += 1
            finally:
                daemon.end(signal.SIGTERM)
                if disk:
                    daemon.do("umount", daemon.data)
        namespaces.kill()
        namespaces.wait()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

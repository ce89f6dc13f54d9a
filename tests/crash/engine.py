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
    """`namespaces`: a process in whose network and mounts it lives, for its mounts outlive it."""

    def __init__(self, folder, namespaces, *flags):
        self.socket = f"unix://{folder}/docker.sock"
        self.command = ["nsenter", "--net", "--mount", "--target", str(namespaces), "dockerd", "--data-root", f"{folder}/data",
                        "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid", "-H", self.socket, "--bridge=none",
                        "--iptables=false", "--ip6tables=false", "--shutdown-timeout=2", *flags]
        self.folder = folder
        self.log = open(f"{folder}/log", "a")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        for _ in range(300):
            if self.process.poll() is None and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise support.Broken("the daemon does not come up: " + "".join(open(f"{self.folder}/log").readlines()[-5:]))

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


CASES = [(terminated, []), (killed, []), (killed_with_live_restore, ["--live-restore"]), (terminated_while_mlpipe_is_dead, [])]


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
        for case, flags in CASES:
            if wanted and case.__name__ not in wanted:
                continue
            begun = time.monotonic()
            daemon = Daemon(folder, namespaces.pid, *flags)
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
        namespaces.kill()
        namespaces.wait()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Very many containers at once: all end, and mlpipe stays within what it says it takes.

    fan_out.py MLPIPE [CASE...]

MLPIPE_CRASH_TASKS: how many (60).
"""
import collections
import os
import re
import resource
import selectors
import socket
import subprocess
import sys
import threading
import time

import support
from support import Root, expect

TASKS = int(os.environ.get("MLPIPE_CRASH_TASKS", "60"))
ENGINE = "/var/run/docker.sock"
# As src/app/execution.cpp counts them, and docs/design.md.
FILES_OF_AN_ATTEMPT, FILES_OF_THE_PROGRAM = 16, 48
HELPERS = 5  # threads beside those of attempts: the loop, signals, the janitor, sandboxes, locks


class Proxy:
    """Stands before the engine's socket and counts how many starts it is asked for at once."""

    def __init__(self, path):
        self.path, self.starting, self.most_starting = path, set(), 0
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        self.listening.listen(512)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listening, selectors.EVENT_READ)
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.listening:
                    self.accept()
                else:
                    self.forward(key.fileobj, *key.data)

    def accept(self):
        client, engine = self.listening.accept()[0], socket.socket(socket.AF_UNIX)
        engine.connect(ENGINE)
        self.selector.register(client, selectors.EVENT_READ, (engine, client, True))
        self.selector.register(engine, selectors.EVENT_READ, (client, client, False))

    def forward(self, source, target, client, asks):
        try:
            data = source.recv(1 << 16)
        except ConnectionError:
            data = b""
        if asks and re.match(rb"POST \S*/containers/\S+/start", data):
            self.starting.add(client)
            self.most_starting = max(self.most_starting, len(self.starting))
        if not asks or not data:
            self.starting.discard(client)
        try:
            if data:
                target.sendall(data)
            else:
                self.selector.unregister(source)
                target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side has gone


class Watched:
    """mlpipe with at most `files` open files; the most that it had of files and threads."""

    def __init__(self, root, files, *arguments):
        self.files = self.threads = 0
        self.proxy = Proxy(os.path.join(root.folder, "engine.sock"))
        with open(root.output, "a") as out:
            self.process = subprocess.Popen(
                [root.mlpipe, *arguments, "--root", root.path], cwd=root.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**root.environment, "DOCKER_HOST": "unix://" + self.proxy.path},
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))

    def look(self):
        try:
            self.files = max(self.files, len(os.listdir(f"/proc/{self.process.pid}/fd")))
            self.threads = max(self.threads, len(os.listdir(f"/proc/{self.process.pid}/task")))
        except FileNotFoundError:
            pass  # it has ended

    def wait_while(self, holds, patience):
        give_up = time.monotonic() + patience
        while holds() and self.process.poll() is None:
            self.look()
            expect(time.monotonic() < give_up, "it hangs")
            time.sleep(0.05)


def pipeline(root, tasks, command):
    os.makedirs(os.path.join(root.folder, "gate"))
    path = os.path.join(root.folder, "pipeline.yaml")
    with open(path, "w") as file:
        print("name: many\ndefaults: {image: mlpipe/base:bookworm, network: none, cache: false}\ntasks:\n"
              "  gate: {import: {uri: gate/, type: Dataset}}", file=file)
        for number in range(tasks):
            print(f"""  task-{number}:
    inputs: {{gate: Dataset}}
    arguments: {{gate: "${{{{ tasks.gate.outputs.artifact }}}}"}}
    outputs: {{number: Integer}}
    script: |
      {command}
      echo {number} >"$MLPIPE_OUTPUT_NUMBER" """, file=file)
    return path


def ended_well(root, watched, tasks):
    expect(watched.process.wait() == 0, f"exit code {watched.process.returncode}")
    states = collections.Counter(row["state"] for row in root.show("one")["tasks"])
    expect(states == {"succeeded": tasks + 1}, f"tasks: {dict(states)}")
    root.check("one")
    starts = 2 * max(1, os.cpu_count())
    expect(watched.proxy.most_starting <= starts, f"{watched.proxy.most_starting} starts at once, not {starts}")
    expect(watched.proxy.most_starting > 0, "the proxy saw no start")
    print(f"at most: {watched.files} files, {watched.threads} threads, {watched.proxy.most_starting} starts at once", flush=True)


def all_at_once(root):
    """None ends before all run; with not one file more than mlpipe says it needs."""
    command = 'until [ -e "$MLPIPE_INPUT_GATE/open" ]; do sleep 2; done'
    files = FILES_OF_THE_PROGRAM + FILES_OF_AN_ATTEMPT * TASKS
    path = pipeline(root, TASKS, command)
    watched = Watched(root, files, "run", path, "--run-id", "one", "--jobs", str(TASKS))
    watched.wait_while(lambda: len(root.containers("-q")) < TASKS, support.PATIENCE + 2 * TASKS)
    gate = os.path.join(root.folder, "gate", "open")
    open(gate, "w").close()
    watched.wait_while(lambda: True, support.PATIENCE + 2 * TASKS)
    os.remove(gate)  # what was imported is as it was
    ended_well(root, watched, TASKS)
    expect("tasks at once instead of" not in open(root.output).read(), "it ran fewer at once than it was told to")
    expect(watched.files <= files, f"{watched.files} files")
    expect(TASKS < watched.threads <= TASKS + HELPERS, f"{watched.threads} threads for {TASKS} attempts")


def with_few_files(root):
    """As many at once as may be, and it says so."""
    fewer = 4
    files = FILES_OF_THE_PROGRAM + FILES_OF_AN_ATTEMPT * fewer
    tasks = max(fewer, TASKS // 4)
    watched = Watched(root, files, "run", pipeline(root, tasks, "true"), "--run-id", "one", "--jobs", "200")
    watched.wait_while(lambda: True, support.PATIENCE + 2 * tasks)
    ended_well(root, watched, tasks)
    said = f"{fewer} tasks at once instead of 200: only {files} files may be open (ulimit -n)"
    expect(said in open(root.output).read(), f"it does not say: {said}")
    expect(watched.threads <= fewer + HELPERS, f"{watched.threads} threads for {fewer} attempts")


def main():
    support.skip_without_engine()
    if not os.path.exists(ENGINE):
        print(f"no {ENGINE}: skipped")
        sys.exit(77)
    return support.run_cases([all_at_once, with_few_files], sys.argv[2:], lambda case: Root(sys.argv[1]), lambda case, root: case(root))


if __name__ == "__main__":
    sys.exit(main())

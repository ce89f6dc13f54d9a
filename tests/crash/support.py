"""What the crash tests share: a fresh root, mlpipe in it, the engine's events, and the check of what is left."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from check_run import NO_STARTS, check_run

HERE = os.path.dirname(os.path.abspath(__file__))
KILLED = -9
PATIENCE = 120  # seconds for any one command: whoever takes longer hangs


class Broken(Exception):
    pass


class Root:
    """A pipeline root of its own; the engine's starts in it are written down while it is open, unless it is for processes
    alone (`watched` false)."""

    def __init__(self, mlpipe, watched=True):
        self.mlpipe = os.path.abspath(mlpipe)
        self.folder = tempfile.mkdtemp(prefix="mlpipe-crash-")
        self.path = os.path.join(self.folder, "root")
        self.starts = os.path.join(self.folder, "starts")
        self.output = os.path.join(self.folder, "output")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("MLPIPE_")}
        self.watched = watched
        if watched:
            self.watch()

    def watch(self):
        """Once more when the engine was started anew. Not asked for afterwards: an engine remembers only its last few
        hundred events. It does remember those that come before it listens to us."""
        self.events = subprocess.Popen(
            ["docker", "events", "--since", f"{time.time():.6f}", "--filter", f"label=mlpipe.root={self.path}", "--filter",
             "event=start", "--format", "{{json .}}"], stdout=open(self.starts, "a"), stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.watched:
            self.events.kill()
            self.events.wait()
            left = self.containers("-aq")
            if left:
                subprocess.run(["docker", "rm", "-f"] + left, stdout=subprocess.DEVNULL, timeout=PATIENCE)
        if kind is None:
            subprocess.run(["chmod", "-R", "u+rwX", self.folder], check=False)
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *arguments, **environment):
        """mlpipe, not waited for; what it prints is added to `output`."""
        out = open(self.output, "a")
        print("$ mlpipe", *arguments, environment or "", file=out, flush=True)
        return subprocess.Popen([self.mlpipe, *arguments, "--root", self.path], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                cwd=self.folder, env={**self.environment, **environment})

    def call(self, *arguments, **environment):
        """Its exit code."""
        process = self.start(*arguments, **environment)
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Broken(f"mlpipe {arguments[0]} hangs")

    def ask(self, *arguments):
        """Its exit code and all it prints."""
        done = subprocess.run([self.mlpipe, *arguments, "--root", self.path], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, cwd=self.folder, env=self.environment, timeout=PATIENCE)
        with open(self.output, "a") as out:
            print("$ mlpipe", *arguments, "" if "--json" in arguments else "\n" + done.stdout + done.stderr, file=out)
        return done.returncode, done.stdout + done.stderr

    def show(self, run):
        return json.loads(self.ask("show", run, "--json")[1])

    def containers(self, *options):
        return subprocess.run(["docker", "ps", *options, "--filter", f"label=mlpipe.root={self.path}"], capture_output=True,
                              text=True, timeout=PATIENCE, check=False).stdout.split()

    def digests(self, run):
        return {f"{task['task']}.{name}": artifact["digest"] for task in self.show(run)["tasks"]
                for name, artifact in task["outputs"]["artifacts"].items()}

    def no_leftovers(self):
        """Nothing is left for gc, and it took nothing: what it has to say is about other things than leftovers."""
        code, said = self.ask("gc", "--json")
        expect(code == 0, f"gc: exit code {code}")
        left = json.loads(said[said.index("{"):said.rindex("}") + 1])["leftovers"]
        expect(not left, f"left over: {[leftover['name'] for leftover in left]}")

    def check(self, run, digests=None, state="succeeded"):
        problems = self.problems(run, digests, state)
        give_up = time.monotonic() + 10
        while NO_STARTS in problems and time.monotonic() < give_up:  # the engine's events come when they come
            time.sleep(0.2)
            problems = self.problems(run, digests, state)
        if problems:
            raise Broken("; ".join(problems))

    def problems(self, run, digests, state):
        return check_run(self.path, run, digests, self.starts if self.watched else None, state)

    def bring_to_end(self, code, run, arguments, digests):
        """After a fault that is over: what `run`, which `arguments` began and which left with `code`, takes to its end. It is
        then as it would have been without the fault."""
        if code == 3 and self.ask("show", run)[0] != 0:
            code = self.call(*arguments)
            expect(code == 0, "it cannot be begun anew")
        if code == 3 and self.show(run)["state"] == "interrupted":
            code = self.call("resume", run)
            expect(code in (0, 1), "it cannot be resumed")
        if code == 1:  # its attempts met the fault, each anew
            expect(self.call("resume", run, "--retry-failed", "--run-id", run + "-again") == 0, "what failed does not run again")
            run += "-again"
        self.check(run, digests)

    def wait_for(self, what, holds):
        give_up = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > give_up:
                raise Broken(f"{what} does not come")
            time.sleep(0.02)


def expect(holds, text):
    if not holds:
        raise Broken(text)


def failpoints(mlpipe):
    return subprocess.run([mlpipe, "failpoints"], capture_output=True, text=True, check=True).stdout.split()


def skip_without_engine():
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        print("no container engine: skipped")
        sys.exit(77)


def tell(root, name, error):
    print(f"FAILED {name}: {error}\n  kept: {root.folder}")
    print("  " + open(root.output).read().replace("\n", "\n  "))


def run_cases(cases, wanted, make_root, call):
    """Those whose names are wanted, or all; each with a root of its own. The exit code."""
    failures = 0
    for case in cases:
        if wanted and case.__name__ not in wanted:
            continue
        begun = time.monotonic()
        try:
            with make_root(case) as root:
                try:
                    call(case, root)
                except Broken as error:
                    tell(root, case.__name__, error)
                    raise
            print(f"{case.__name__}: {time.monotonic() - begun:.1f} s", flush=True)
        except Broken:
            failures += 1
    return 1 if failures else 0

#!/usr/bin/env python3
"""Checks what one run left behind, whatever happened to the mlpipe that ran it: its record, its tree, its containers.

    check_run.py ROOT RUN [--digests FILE] [--starts FILE] [--state STATE]

Prints every promise that is broken, one a line, and exits 1 when there is one. Only the standard library is used, and
nothing of mlpipe: neither its reading of the record nor its digests are trusted.

Meant for a run that has ended, and for any engine; without docker the containers are not looked at.
"""
import argparse
import collections
import hashlib
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys

NO_STARTS = "the engine started nothing"


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def listing(folder, prefix=""):
    """A folder's listing as docs/digests.md has it, for plain names."""
    lines = []
    for name in sorted(os.listdir(folder), key=os.fsencode):
        path = os.path.join(folder, name)
        info = os.lstat(path)
        if stat.S_ISDIR(info.st_mode):
            lines.append(f"d 0 - {prefix}{name}\n")
            lines += listing(path, f"{prefix}{name}/")
        elif stat.S_ISLNK(info.st_mode):
            target = os.fsencode(os.readlink(path))
            lines.append(f"l {len(target)} {hashlib.sha256(target).hexdigest()} {prefix}{name}\n")
        else:
            kind = "x" if info.st_mode & stat.S_IXUSR else "f"
            lines.append(f"{kind} {info.st_size} {sha256(path)} {prefix}{name}\n")
    return lines


def digest_of(path):
    if os.path.isdir(path):
        return "sha256:" + hashlib.sha256(("mlpipe-tree 1\n" + "".join(listing(path))).encode()).hexdigest()
    return "sha256:" + sha256(path)


class Check:
    def __init__(self, root, run):
        self.root, self.run, self.problems = os.path.abspath(root), run, []
        self.record = sqlite3.connect(f"file:{self.root}/.mlpipe/metadata.db?mode=ro", uri=True)
        self.record.row_factory = sqlite3.Row
        self.number = self.rows("SELECT run FROM runs WHERE id = ?", run)[0]["run"]

    def rows(self, sql, *values):
        return self.record.execute(sql, values).fetchall()

    def expect(self, holds, text):
        if not holds:
            self.problems.append(text)

    def integrity(self):
        self.expect(self.rows("PRAGMA integrity_check")[0][0] == "ok", "the record is damaged")
        self.expect(not self.rows("PRAGMA foreign_key_check"), "rows of the record refer to nothing")

    def end(self, state):
        run = self.rows("SELECT * FROM runs WHERE run = ?", self.number)[0]
        self.expect(run["state"] == state, f"the run is {run['state']}, not {state}")
        self.expect(run["finished"] is not None, "the run has no time of its end")
        tasks = collections.Counter(row["state"] for row in self.rows("SELECT state FROM tasks WHERE run = ?", self.number))
        for name in ("waiting", "ready", "deferred", "starting", "running", "stopping", "retry_wait",
                     "succeeded", "failed", "skipped", "cancelled"):
            self.expect(run[name] == tasks[name], f"{run[name]} tasks are counted as {name}, {tasks[name]} are")
        finals = {"succeeded", "failed", "skipped", "cancelled"}
        self.expect(set(tasks) <= finals, f"tasks have not ended: {dict(tasks)}")
        if state == "succeeded":
            self.expect(set(tasks) <= {"succeeded", "skipped"}, f"a run that succeeded has tasks {dict(tasks)}")
        manifest = json.load(open(f"{self.root}/runs/{self.run}/run.json"))
        self.expect(manifest.get("state") == state, f"run.json says {manifest.get('state')}")

    def attempts(self):
        """A task has succeeded by one attempt with exit 0; no attempt is left open; their numbers have no gaps."""
        by_task = collections.defaultdict(list)
        for row in self.rows("SELECT * FROM attempts WHERE run = ? ORDER BY task, attempt", self.number):
            by_task[row["task"]].append(row)
            where = f"{self.path(row['task'])}, attempt {row['attempt']}"
            self.expect(row["state"] not in ("starting", "running", "stopping"), f"{where}: still {row['state']}")
            if row["state"] == "succeeded":
                self.expect(row["exit_code"] == 0, f"{where}: succeeded with exit code {row['exit_code']}")
        for task in self.rows("SELECT * FROM tasks WHERE run = ?", self.number):
            rows = by_task[task["task"]]
            good = [row["attempt"] for row in rows if row["state"] in ("succeeded", "cached")]
            self.expect(len(good) == (task["state"] == "succeeded"), f"{task['path']}: {task['state']}, succeeded by {good}")
            if good:
                self.expect(good == [rows[-1]["attempt"]], f"{task['path']}: attempts after the one that succeeded")
            numbers = [row["attempt"] for row in rows if row["attempt"] > 0]
            self.expect(numbers == list(range(1, len(numbers) + 1)), f"{task['path']}: attempts {numbers}")

    def artifacts(self, digests):
        """What succeeded has its outputs, with the digests on record and those of an undisturbed run."""
        seen = {}
        for row in self.rows(
                "SELECT a.*, t.path, t.removed FROM artifacts a JOIN attempts USING (run, task, attempt) JOIN tasks t USING (run, task)"
                " WHERE run = ? AND direction = 'output'", self.number):
            where = f"{row['path']}.{row['name']}"
            seen[where] = row["digest"]
            if row["removed"]:
                continue
            if not os.path.exists(row["uri"]):
                self.problems.append(f"{where}: nothing is at {row['uri']}")
            else:
                self.expect(digest_of(row["uri"]) == row["digest"], f"{where}: {row['uri']} has another digest than recorded")
        if digests is not None:
            self.expect(seen == digests, f"other artifacts than undisturbed: {sorted(set(seen.items()) ^ set(digests.items()))}")

    def order(self):
        """No attempt starts before what it reads is recorded; nothing happens to a task that has succeeded."""
        succeeded, writer = {}, {}
        for row in self.rows("SELECT task, uri FROM artifacts WHERE run = ? AND direction = 'output'", self.number):
            writer[row["uri"]] = row["task"]
        reads = collections.defaultdict(set)
        for row in self.rows("SELECT task, uri FROM artifacts WHERE run = ? AND direction = 'input'", self.number):
            reads[row["task"]].add(row["uri"])
        for row in self.rows("SELECT * FROM events WHERE run = ? AND task IS NOT NULL ORDER BY event", self.number):
            task, where = row["task"], self.path(row["task"])
            self.expect(task not in succeeded, f"{where}: {row['to_state']} after it had succeeded")
            if row["to_state"] == "starting":
                for uri in reads[task]:
                    self.expect(uri not in writer or writer[uri] in succeeded, f"{where}: started before {uri} was recorded")
            if row["to_state"] == "succeeded":
                succeeded[task] = row["event"]

    def starts(self, file):
        """No attempt had two containers that ran: `docker events` of the whole time, a JSON object a line."""
        names = collections.Counter()
        for line in open(file):
            event = json.loads(line)
            attributes = event["Actor"]["Attributes"]
            if event["Action"] == "start" and attributes.get("mlpipe.run") == self.run and "mlpipe.attempt" in attributes:
                names[attributes["name"]] += 1
        self.expect(names or not self.rows("SELECT 1 FROM attempts WHERE run = ? AND attempt > 0", self.number),
                    NO_STARTS)
        for name, count in names.items():
            self.expect(count == 1, f"{name} was started {count} times")

    def leftovers(self):
        if shutil.which("docker"):
            left = subprocess.run(["docker", "ps", "-a", "--filter", f"label=mlpipe.run={self.run}", "--filter",
                                   f"label=mlpipe.root={self.root}", "--format", "{{.Names}} {{.Status}}"],
                                  capture_output=True, text=True, timeout=60, check=True).stdout.split("\n")
            self.expect(left == [""], f"containers are left: {left[:-1]}")
        for folder, folders, files in os.walk(self.root):
            if folder.endswith("/work"):
                folders.clear()  # what tasks call their files is their own affair
            for name in folders + files:
                self.expect(not re.search(r"^\.mlpipe-tmp-|\.replaced-", name), f"left over: {os.path.join(folder, name)}")

    def path(self, task):
        return self.rows("SELECT path FROM tasks WHERE run = ? AND task = ?", self.number, task)[0]["path"]


def check_run(root, run, digests=None, starts=None, state="succeeded"):
    """The broken promises, as texts."""
    check = Check(root, run)
    check.integrity()
    check.end(state)
    check.attempts()
    check.artifacts(digests)
    check.order()
    if starts is not None:
        check.starts(starts)
    check.leftovers()
    return check.problems


def main():
    parser = argparse.ArgumentParser(description="Checks what one run left behind.")
    parser.add_argument("root")
    parser.add_argument("run")
    parser.add_argument("--digests", help="JSON: task.output to digest, of an undisturbed run")
    parser.add_argument("--starts", help="JSON lines of `docker events`")
    parser.add_argument("--state", default="succeeded")
    said = parser.parse_args()
    digests = json.load(open(said.digests)) if said.digests else None
    problems = check_run(said.root, said.run, digests, said.starts, said.state)
    print("\n".join(problems) or "all promises are kept")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What else can happen while mlpipe is dead, or to a run that two mlpipes want.

    cases.py MLPIPE [CASE...]
"""
import glob
import os
import subprocess
import sys
import time

import support
from support import Root, expect


def pipeline(root, text):
    path = os.path.join(root.folder, "pipeline.yaml")
    with open(path, "w") as file:
        file.write("name: case\ndefaults: {image: mlpipe/base:bookworm, network: none}\ntasks:\n" + text)
    return path


def docker(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=support.PATIENCE, check=True).stdout


def log_has(root, task, text, attempt=1):
    path = f"{root.path}/runs/one/{task}/.mlpipe/attempts/{attempt}/log"
    return os.path.exists(path) and text in open(path, errors="replace").read()


def running(root, task):
    return any(row["task"] == task and row["state"] == "running" for row in root.show("one").get("tasks", []))


def kill_while_running(root, text, until="begun"):
    """Runs `text`, whose only task is `work`, and kills mlpipe when the task has written `until`. Its container's name."""
    process = root.start("run", pipeline(root, text), "--run-id", "one", "--grace", "1s")
    root.wait_for("the task's first line", lambda: log_has(root, "work", until))
    root.wait_for("running on record", lambda: running(root, "work"))
    process.kill()
    process.wait()
    return root.show("one")["tasks"][0]["attempts"][0]["container"]


def attempts(root, task="work", run="one"):
    return [(row["state"], row.get("exit_code")) for each in root.show(run)["tasks"] if each["task"] == task
            for row in each["attempts"]]


def container_removed_meanwhile(root):
    name = kill_while_running(root, """
  work:
    outputs: {table: Dataset}
    script: |
      echo begun; [ "$MLPIPE_ATTEMPT" = 1 ] && sleep 60
      echo x >"$MLPIPE_OUTPUT_TABLE"
""")
    docker("rm", "-f", name)
    expect(root.call("resume") == 0, "it does not succeed")
    expect([state for state, _ in attempts(root)] == ["lost", "succeeded"], f"attempts: {attempts(root)}")
    root.check("one")


def ended_well_meanwhile(root):
    name = kill_while_running(root, """
  work:
    outputs: {table: Dataset}
    script: |
      echo begun; sleep 1; echo x >"$MLPIPE_OUTPUT_TABLE"; echo done; echo worse >&2
""")
    expect(docker("wait", name).strip() == "0", "the container does not end well")
    expect(root.call("resume") == 0, "it does not succeed")
    expect(attempts(root) == [("succeeded", 0)], f"attempts: {attempts(root)}")
    log = open(f"{root.path}/runs/one/work/.mlpipe/attempts/1/log").read()
    expect(sorted(log.splitlines()) == ["begun", "done", "worse"], f"the log is {log!r}")
    expect(root.ask("logs", "one", "work", "--stdout")[1] == "begun\ndone\n", "logs does not tell the streams apart")
    root.check("one")


def ended_badly_meanwhile(root):
    name = kill_while_running(root, """
  work:
    script: |
      echo begun; sleep 1; echo over; exit 3
""")
    expect(docker("wait", name).strip() == "3", "the container does not end with 3")
    code, said = root.ask("resume")
    expect(code == 1 and "exit code 3" in said, f"exit code {code}: {said}")
    expect(attempts(root) == [("user_exit", 3)], f"attempts: {attempts(root)}")
    expect(log_has(root, "work", "begun\nover\n"), "the log is not whole")
    root.check("one", state="failed")


def a_second_resume_is_refused(root):
    kill_while_running(root, """
  work:
    script: |
      echo begun; sleep 4
""")
    first, second = root.start("resume", "one"), root.start("resume", "one")
    codes = sorted([first.wait(support.PATIENCE), second.wait(support.PATIENCE)])
    said = open(root.output).read()
    expect(codes == [0, 2], f"exit codes {codes}")
    expect(f"is being run by process {first.pid}" in said or f"is being run by process {second.pid}" in said, said)
    root.check("one")


def a_run_that_runs_is_not_resumed(root):
    process = root.start("run", pipeline(root, """
  work:
    script: |
      echo begun; sleep 3
"""), "--run-id", "one")
    root.wait_for("the task's first line", lambda: log_has(root, "work", "begun"))
    code, said = root.ask("resume", "one")
    expect(code == 2 and f"process {process.pid}" in said, f"exit code {code}: {said}")
    expect(root.show("one")["state"] == "running", "show does not say running")
    expect(process.wait(support.PATIENCE) == 0, "the run was disturbed")
    root.check("one")


def an_interrupted_run_is_said_so(root):
    kill_while_running(root, """
  work:
    script: |
      echo begun; sleep 2; echo over
""")
    expect("interrupted" in root.ask("show", "one")[1], "show does not say interrupted")
    code, said = root.ask("logs", "one", "work")
    expect(code == 0 and "begun" in said, f"logs: exit code {code}: {said}")
    begun = time.monotonic()
    code, said = root.ask("logs", "-f", "one")
    expect("interrupted" in said, f"logs -f does not say interrupted: {said}")
    expect(time.monotonic() - begun < 30, "logs -f waits for a run that nobody runs")
    expect("interrupted" in root.ask("runs")[1], "runs does not say interrupted")
    expect(root.call("resume") == 0, "it does not succeed")
    root.check("one")


def cancel_from_another_process(root):
    process = root.start("run", pipeline(root, """
  work:
    script: |
      echo begun; sleep 60
  after:
    after: [work]
    script: echo never
"""), "--run-id", "one", "--grace", "1s")
    root.wait_for("the task's first line", lambda: log_has(root, "work", "begun"))
    expect(root.call("cancel", "one") == 0, "cancel fails")
    expect(process.wait(support.PATIENCE) == 143, f"exit code {process.returncode}")
    root.check("one", state="cancelled")
    code, said = root.ask("cancel", "one")
    expect(code == 2 and "ended already" in said, f"a second cancel: exit code {code}: {said}")


def cancel_an_interrupted_run(root):
    kill_while_running(root, """
  work:
    script: |
      echo begun; [ "$MLPIPE_RUN_ID" != one ] || sleep 60
  after:
    after: [work]
    script: echo never
""")
    expect(root.containers("-q"), "the container did not live on")
    expect(root.call("cancel", "one") == 0, "cancel fails")
    root.check("one", state="cancelled")
    expect(root.call("resume", "one", "--run-id", "two") == 0, "a run that goes on from the cancelled one fails")
    root.check("two")


def the_engine_is_gone_at_the_resume(root):
    kill_while_running(root, """
  work:
    script: |
      echo begun; sleep 2
""")
    code = root.call("resume", "one", DOCKER_HOST="unix:///nowhere/docker.sock")
    expect(code == 3, f"exit code {code}")
    expect(root.show("one")["state"] == "interrupted", "it is not interrupted any more")
    expect(root.call("resume", "one") == 0, "it does not succeed")
    expect(attempts(root) == [("succeeded", 0)], f"attempts: {attempts(root)}")
    root.check("one")


def a_timeout_counts_on(root):
    name = kill_while_running(root, """
  work:
    timeout: 3s
    script: |
      echo begun; sleep 60
""")
    time.sleep(4)
    begun = time.monotonic()
    code, said = root.ask("resume", "one")
    expect(code == 1 and "timeout" in said, f"exit code {code}: {said}")
    expect(time.monotonic() - begun < 4, "its time began anew")
    expect(attempts(root)[0][0] == "timed_out", f"attempts: {attempts(root)}")
    root.check("one", state="failed")
    expect(name not in docker("ps", "-a"), "its container is left")


def killed_before_it_is_on_record(root):
    os.makedirs(f"{root.path}/runs/one/.mlpipe")
    path = pipeline(root, """
  work:
    script: echo begun
""")
    expect(root.call("run", path, "--run-id", "one") == 0, "the id of a run that never began is taken")
    root.check("one")
    expect(root.call("run", path, "--run-id", "one") == 2, "a run is run once more under its id")


def secrets_of_a_killed_mlpipe_go(root):
    secret = f"of {root.folder}"

    def files():
        return [path for path in glob.glob("/dev/shm/mlpipe-secrets-*/key") if read_or_nothing(path) == secret]

    with open(os.path.join(root.folder, "key"), "w") as file:
        file.write(secret)
    process = root.start("run", pipeline(root, """
  work:
    secrets: {key: {file: key, as: file}}
    outputs: {copy: Artifact}
    script: |
      echo begun; sleep 3
      cp /mlpipe/secrets/key "$MLPIPE_OUTPUT_COPY"
"""), "--run-id", "one")
    root.wait_for("the task's first line", lambda: log_has(root, "work", "begun"))
    root.wait_for("running on record", lambda: running(root, "work"))
    expect(len(files()) == 1, f"the task has its secret in {files()}")
    process.kill()  # and from now on any mlpipe may remove it
    process.wait()
    with Root(root.mlpipe) as other:
        expect(other.call("run", pipeline(other, "  other: {script: echo other}\n")) == 0, "another run fails")
    expect(not files(), "another run leaves it")
    expect(root.call("resume") == 0, "it does not succeed")
    expect(attempts(root) == [("succeeded", 0)], f"attempts: {attempts(root)}")
    expect(open(f"{root.path}/runs/one/work/copy/data").read() == secret, "the task lost its secret")
    expect(not files(), "the resumed run leaves it")
    root.check("one")


def read_or_nothing(path):
    try:
        return open(path).read()
    except OSError:  # somebody's who has just ended
        return ""


def a_run_that_goes_on_from_another_is_resumed(root):
    path = pipeline(root, """
  before:
    outputs: {table: Dataset}
    script: echo x >"$MLPIPE_OUTPUT_TABLE"
  work:
    inputs: {table: Dataset}
    arguments: {table: "${{ tasks.before.outputs.table }}"}
    script: cat "$MLPIPE_INPUT_TABLE"
""")
    expect(root.call("run", path, "--run-id", "one") == 0, "the first run fails")
    code = root.call("resume", "one", "--from", "work", "--run-id", "two", MLPIPE_FAILPOINT="attempt.started:kill9")
    expect(code == support.KILLED, f"exit code {code}")
    expect(root.call("resume", "two") == 0, "it does not succeed")
    expect(attempts(root, "work", "two") == [("succeeded", 0)], f"attempts: {attempts(root, 'work', 'two')}")
    root.check("two")


def sandboxes_of_a_killed_mlpipe_go_before_the_run_has_ended(root):
    path = os.path.join(root.folder, "pipeline.yaml")
    with open(path, "w") as file:
        file.write("name: case\ndefaults: {image: mlpipe/base:bookworm}\ntasks:\n")
        for name in ("work", "beside", "behind"):
            file.write(f"  {name}: {{script: echo begun; sleep 2}}\n")
    process = root.start("run", path, "--run-id", "one", "--jobs", "2")
    root.wait_for("a sandbox", lambda: "mlpipe-sandbox-" in " ".join(root.containers("--format", "{{.Names}}")))
    root.wait_for("the task's first line", lambda: log_has(root, "work", "begun"))
    process.kill()
    process.wait()
    code = root.call("resume", "one", MLPIPE_FAILPOINT="after_finish:kill9")
    expect(code == support.KILLED, f"exit code {code}")
    root.check("one")  # nobody looks after a run that has ended
    expect(not root.containers("-aq"), "containers are left")


CASES = [killed_before_it_is_on_record, container_removed_meanwhile, ended_well_meanwhile, ended_badly_meanwhile,
         a_second_resume_is_refused,
         a_run_that_runs_is_not_resumed, an_interrupted_run_is_said_so, cancel_from_another_process, cancel_an_interrupted_run,
         the_engine_is_gone_at_the_resume, a_timeout_counts_on,
         secrets_of_a_killed_mlpipe_go, sandboxes_of_a_killed_mlpipe_go_before_the_run_has_ended, a_run_that_goes_on_from_another_is_resumed]


def main():
    support.skip_without_engine()
    mlpipe, wanted = sys.argv[1], sys.argv[2:]
    return support.run_cases(CASES, wanted, lambda case: Root(mlpipe), lambda case, root: case(root))


if __name__ == "__main__":
    sys.exit(main())

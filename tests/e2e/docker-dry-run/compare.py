# Is what was foreseen what happened? Usage: compare.py FORESEEN EVENTS
import json
import sys

foreseen = {task["task"]: task for task in json.load(open(sys.argv[1]))["tasks"]}
happened = {}
for line in open(sys.argv[2]):
    event = json.loads(line)
    if event["event"] == "task_state" and event["state"] in ("succeeded", "skipped"):
        happened[event["task"]] = "cached" if "cached_from" in event else "ran" if event["state"] == "succeeded" else "skip"
allowed = {"run": ["ran"], "import": ["ran"], "cached": ["cached"], "skip": ["skip"], "depends": ["ran", "cached", "skip"]}
for name, task in sorted(foreseen.items()):
    action, seen = task["action"], happened[name]
    print(f"{name}: {action}, {seen}" + ("" if seen in allowed[action] else "  WRONG"))

# Compares what bash offers with what help lists: every command, and every option of each.
import re, subprocess, sys

def output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout

def offered(*words):
    line = output("bash", "-c", 'source ask.sh; ask mlpipe "$@"', "bash", *words)
    return set(line.split("-> ", 1)[1].split())

def commands(text):
    part = text.split("Subcommands:\n", 1)
    return re.findall(r"^  ([a-z-]+)", part[1].split("\n\n")[0], re.M) if len(part) == 2 else []

def options(text):
    part = text.split("Options:\n", 1)[1].split("Subcommands:")[0]
    return {name.split("{")[0] for line in re.findall(r"^  (-\S+)", part, re.M) for name in line.split(",")}

def compare(words):
    text = output("mlpipe", *words, "--help")
    below = commands(text)
    missing = options(text) - offered(*words, "-")
    if missing: sys.exit(f"not offered: {words} {missing}")
    if below and offered(*words, "") != set(below): sys.exit(f"other commands: {words} {offered(*words, '') ^ set(below)}")
    count = len(options(text))
    for command in below:
        count += compare([*words, command])
    return count

count = compare([])
assert count > 100, count
print("every option of every command is offered")

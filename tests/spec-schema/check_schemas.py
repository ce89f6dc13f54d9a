#!/usr/bin/env python3
"""Holds docs/schema/ against what the program reads.

Every example, component, accepted fixture and ```yaml block of docs/format.md must fit its schema; every rejected fixture
must not, except those in BEYOND, whose mistake no schema can see; of those named each_task_* each task by itself must not. Needs Debian's python3-jsonschema and python3-yaml.
"""
import json
import pathlib
import re
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}; install python3-jsonschema and python3-yaml")
    sys.exit(77)

# Rejected fixtures that fit the schema, and why.
BEYOND = {
    "argument_templates.yaml": "what an expression gives is not in its text",
    "argument_twice.yaml": "two spellings of one input",
    "argument_types.yaml": "types of arguments follow from the component",
    "artifact_values.yaml": "what an expression names is not in its text",
    "cycle.yaml": "order follows from all tasks together",
    "missing_arguments.yaml": "what is missing follows from the component",
    "when_no_condition.yaml": "the type of an expression is not in its text",
    "variable_clash.yaml": "two names become one variable",
    "variables_twice.yaml": "what a task has follows from `defaults` too",
}


class Loader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2 does: `yes` and `2020-01-01` are texts, keys are texts."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("merge", r"^<<$", "<"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
]:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))
Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value, 16 if "x" in node.value else 8 if "o" in node.value else 10))


def text_keys(value, seen=()):
    if id(value) in seen:
        raise yaml.YAMLError("a cycle")
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): text_keys(v, (*seen, id(value))) for key, v in value.items()}
    if isinstance(value, list):
        return [text_keys(item, (*seen, id(value))) for item in value]
    return value


def main(root):
    schemas = {}
    for kind in ("pipeline", "component"):
        schema = json.loads((root / f"docs/schema/{kind}.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        schemas[kind] = jsonschema.Draft202012Validator(schema)

    failures = []

    def mistakes(kind, data):
        try:
            document = text_keys(yaml.load(data, Loader))
        except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
            return [f"YAML: {error}"]
        return [f"{'.'.join(map(str, e.path))}: {e.message}"[:300] for e in schemas[kind].iter_errors(document)]

    def must_fit(kind, data, name):
        for mistake in mistakes(kind, data):
            failures.append(f"{name}: should fit the {kind} schema: {mistake}")

    checked = 0
    for kind, paths in {
        "pipeline": list(root.glob("examples/*/pipeline.yaml")),
        "component": [*root.glob("components/*/component.yaml"), *root.glob("examples/*/components/*/component.yaml")],
    }.items():
        for path in paths:
            must_fit(kind, path.read_bytes(), path.relative_to(root))
            checked += 1

    fixtures = root / "tests/unit/spec/fixtures"
    unused = set(BEYOND)
    for path in sorted(fixtures.glob("*/*.yaml")):
        kind = "component" if path.name.endswith(".component.yaml") else "pipeline"
        if path.name.startswith("yaml_"):
            continue  # the YAML is wrong, which comes before any schema
        checked += 1
        if path.parent.name == "accepted":
            must_fit(kind, path.read_bytes(), path.relative_to(root))
        elif path.parent.name == "rejected":
            found = mistakes(kind, path.read_bytes())
            if path.name in BEYOND:
                unused.discard(path.name)
                if found:
                    failures.append(f"{path.name}: listed as beyond the schema, but it finds {found[0]}")
            elif not found:
                failures.append(f"{path.name}: the schema finds nothing wrong")
            if path.name.startswith("each_task_"):
                document = text_keys(yaml.load(path.read_bytes(), Loader))
                for name, task in document["tasks"].items():
                    checked += 1
                    if schemas[kind].is_valid({**document, "tasks": {name: task}}):
                        failures.append(f"{path.name}: the schema finds nothing wrong with task {name}: {task}")
    failures += [f"{name}: listed as beyond the schema, but there is no such fixture" for name in sorted(unused)]

    reference = (root / "docs/format.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", reference, re.M | re.S)
    for number, block in enumerate(blocks, 1):
        must_fit("component" if re.search(r"^implementation:", block, re.M) else "pipeline", block, f"docs/format.md, block {number}")
        checked += 1

    print("\n".join(failures) or f"{checked} documents agree with the schemas")
    if len(blocks) < 5 or checked < 60:
        print("too few documents were found")
        return 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

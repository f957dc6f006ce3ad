"""Run the command line: as a process of its own, without rich, or here for its JSON."""

import json
import os
import subprocess
import sys

import jsonschema

from movepages.cli import main
from movepages.cli.schema import text_of

SMALL = ["demo", "--size", "1MiB"]
WITHOUT_RICH = (
    "import sys; sys.modules['rich'] = None\n"
    "from movepages.cli import main\n"
    "sys.exit(main(sys.argv[1:]))"
)


def run(*arguments, code=None, **environment):
    start = ["-c", code] if code else ["-m", "movepages"]
    plain = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR")}
    return subprocess.run(
        [sys.executable, "-P", *start, *arguments],
        capture_output=True, text=True, encoding="utf-8", check=False, env=plain | environment,
    )  # fmt: skip


def as_data(capsys, *arguments, status=0):
    assert main(["demo", "--json", *arguments]) == status
    return json.loads(capsys.readouterr().out)


def closed(schema):
    """Return a schema that allows no fields but those it names: all output is documented."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {key: closed(value) for key, value in schema.items()}
    named = schema.get("type") == "object" and "properties" in schema
    return inside | {"additionalProperties": False} if named else inside


def is_open(schema):
    """Return whether a schema allows further fields at every level."""
    if isinstance(schema, list):
        return all(is_open(each) for each in schema)
    if not isinstance(schema, dict):
        return True
    shut = "properties" in schema and schema.get("additionalProperties") is False
    return not shut and all(is_open(each) for each in schema.values())


def json_of(capsys, *arguments, status=0):
    """Return what a command prints with --json, after a check against its schema."""
    assert main([*arguments, "--json"]) == status
    out = capsys.readouterr().out
    lines = out.splitlines() if arguments[0] == "watch" else [out]
    found = [json.loads(line) for line in lines]
    schema = json.loads(text_of(arguments[0]))
    for each in found:
        jsonschema.validate(each, schema)
        jsonschema.validate(each, closed(schema))
        assert each["command"] == arguments[0]
    return found if arguments[0] == "watch" else found[0]


def one_line(text):
    return " ".join(text.split())

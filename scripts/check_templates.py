"""Checks templates against the JSON Schema, with a validator that is not podctl's own.

usage: check_templates.py SCHEMA TEMPLATE...
"""
import json
import sys

import yaml
from jsonschema import Draft202012Validator


def main():
    schema_file, templates = sys.argv[1], sys.argv[2:]
    with open(schema_file, encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    failed = False
    for template in templates:
        with open(template, encoding="utf-8") as file:
            errors = list(validator.iter_errors(yaml.safe_load(file)))
        for error in errors:
            print(f"{template}: {error.json_path}: {error.message}", file=sys.stderr)
        print(f"{template}: {'fits' if not errors else 'does not fit'} {schema_file}")
        failed = failed or bool(errors)
    sys.exit(1 if failed else 0)


main()

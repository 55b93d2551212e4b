"""Answers of Open Policy Agent's engine.

Reads {"policies": {name: text}, "questions": [[path, input], ...]} and writes one line of JSON for each question:
{"value": ...}, {} when it is undefined, {"error": ...} when it fails.
"""

import json
import sys

from opa_bindings import OpaEngine, OpaError, OpaUndefinedError


def answer(engine, path, value):
    try:
        return {"value": engine.eval_document(path, value)}
    except OpaUndefinedError:
        return {}
    except OpaError as error:
        return {"error": str(error)}


def main():
    asked = json.load(sys.stdin)
    engine = OpaEngine()
    for name, text in asked["policies"].items():
        engine.add_policy(name, text)
    for path, value in asked["questions"]:
        sys.stdout.write(json.dumps(answer(engine, path, value)) + "\n")


main()

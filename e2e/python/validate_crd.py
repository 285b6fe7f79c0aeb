"""Checks documents against the schemas of deploy/schemas, as a cluster would with strict field validation.

    validate_crd.py SCHEMA.json... -- DOCUMENT.yaml...

Each document must have a schema, unless it is a kind of Kubernetes itself, which `kubernetes-validate` checks. Rules in CEL
(`x-kubernetes-validations`) are not checked.
"""

import json
import sys

import yaml
from jsonschema import Draft7Validator

OF_KUBERNETES = ["v1", "networking.k8s.io/v1"]


def strict(node):
    """The same schema, in which an unknown field is an error, and `null` is no value."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: value if key in ("enum", "default", "required") else strict(value) for key, value in node.items()}
    if node.pop("x-kubernetes-int-or-string", False):
        node.pop("type", None)
    open_ended = node.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in node
    if isinstance(node.get("properties"), dict) and node.get("type") == "object" and not open_ended:
        node["additionalProperties"] = False
    return node


def main(arguments):
    split = arguments.index("--")
    schemas = {}
    for path in arguments[:split]:
        document = json.load(open(path))
        schema = strict(document["schema"])
        any_object = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
        schema["properties"] = schema["properties"] | any_object
        schemas[document["apiVersion"], document["kind"]] = schema
    problems, checked = [], 0
    for path in arguments[split + 1 :]:
        for document in yaml.safe_load_all(open(path)):
            name = document.get("apiVersion"), document.get("kind")
            if name not in schemas:
                if name[0] not in OF_KUBERNETES:
                    problems.append(f"{path}: no schema for {name}")
                continue
            checked += 1
            for error in Draft7Validator(schemas[name]).iter_errors(document):
                problems.append(f"{path}: {'.'.join(map(str, error.path))}: {error.message}")
    print(f"{checked} checked")
    if problems:
        sys.exit("\n".join(problems))


main(sys.argv[1:])

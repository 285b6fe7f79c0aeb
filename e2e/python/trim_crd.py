"""Writes the schema of one version of one kind out of a file of CustomResourceDefinitions, without its descriptions.

    trim_crd.py CRDS.yaml KIND VERSION SOURCE > deploy/schemas/KIND.json
"""

import json
import sys

import yaml


def trimmed(node):
    """The schema without the prose, which is nine tenths of it. A property may have the name `description`."""
    if isinstance(node, list):
        return [trimmed(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if key == "properties":
            kept[key] = {name: trimmed(property) for name, property in value.items()}
        elif key != "description":
            kept[key] = trimmed(value)
    return kept


def main(path, kind, version, source):
    for definition in yaml.safe_load_all(open(path)):
        if not definition or definition["spec"]["names"]["kind"] != kind:
            continue
        spec = definition["spec"]
        for served in spec["versions"]:
            if served["name"] == version:
                schema = trimmed(served["schema"]["openAPIV3Schema"])
                document = {
                    "source": source,
                    "apiVersion": f"{spec['group']}/{version}",
                    "kind": kind,
                    "schema": schema,
                }
                print(json.dumps(document, indent=None, separators=(",", ":"), sort_keys=True))
                return
    sys.exit(f"{path} has no {kind} {version}")


main(*sys.argv[1:])

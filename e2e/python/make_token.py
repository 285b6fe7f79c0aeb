"""Makes one token with PyJWT, a library that is not ours.

    python make_token.py < request.json

The request is {"algorithm": "RS256", "key": PEM or secret, "header": {...}, "payload": {...}}; `header` is added
to what the library writes itself. Prints the token and nothing else.
"""

import json
import sys

import jwt

request = json.load(sys.stdin)
token = jwt.encode(
    request["payload"],
    request["key"],
    algorithm=request["algorithm"],
    headers=request.get("header"),
)
sys.stdout.write(token)

"""Verifies a message with PyPI `standardwebhooks`: what it says, or that it is refused."""

import json
import sys

from standardwebhooks import Webhook

given = json.load(sys.stdin)
try:
    message = Webhook(given["secret"]).verify(given["body"], given["headers"])
    print(json.dumps({"accepted": True, "detail": message["data"]["detail"]}))
except Exception as error:
    print(json.dumps({"accepted": False, "why": str(error)}))

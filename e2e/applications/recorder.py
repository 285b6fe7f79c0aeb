"""An ASGI application that answers with the request it was given, and appends it to the file in RECORD, a JSON line each."""

import json
import os


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    line = json.dumps({"method": scope["method"], "path": scope["path"], "version": scope["http_version"], "headers": headers})
    with open(os.environ["RECORD"], "a", encoding="utf-8") as record:
        record.write(line + "\n")
    body = line.encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})

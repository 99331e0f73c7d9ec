#!/usr/bin/env python3
"""A client in Python's standard library that learns the API from the peer itself: it reads /openapi.json, finds operations by
their ids, which do not change, and holds every answer against the document.

    python3 examples/rest_client.py http://localhost:3000                                        # how alice is
    python3 examples/rest_client.py --check http://localhost:3000 http://localhost:3001          # alice talks to bob

`cargo demo` runs these two. With --check it ends with 0 if all is well, else with 1 and what was not."""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT = 15  # seconds; longer than the slowest operation takes, which is connecting
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
# Straight to the peer, whatever proxy the environment names.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Peer:
    """A peer's API: `peer.call("send", peer_username="bob", content="hi")`."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        with OPENER.open(self.url + "/openapi.json", timeout=TIMEOUT) as answer:
            self.document = json.load(answer)
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }

    def call(self, operation_id, **arguments):
        method, path, operation = self.operations[operation_id]
        query = {}
        for parameter in operation.get("parameters", []):
            name = parameter["name"]
            if parameter["in"] == "path":
                path = path.replace("{%s}" % name, urllib.parse.quote(arguments.pop(name), safe=""))
            elif name in arguments:
                query[name] = arguments.pop(name)
        body = json.dumps(arguments).encode() if "requestBody" in operation else None
        request = urllib.request.Request(self.url + path + "?" * bool(query) + urllib.parse.urlencode(query), body, method=method)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with OPENER.open(request, timeout=TIMEOUT) as answer:
                result = json.load(answer)
                schema = next(iter(operation["responses"][str(answer.status)]["content"].values()))["schema"]
        except urllib.error.HTTPError as refusal:
            problem = json.load(refusal)  # `code` is for programs, `detail` and `next` for people
            raise SystemExit(f"{operation_id}: {problem['detail']} ({problem['code']}) {problem.get('next', '')}")
        self.hold(result, schema, operation_id)
        return result

    def hold(self, value, schema, where):
        """Fails unless the value has the type that the schema promises, and everything it calls required, all the way down."""
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        for part in schema.get("allOf", []):
            self.hold(value, part, where)
        expect(isinstance(value, TYPES.get(schema.get("type"), object)), f"{where} is no {schema.get('type')}: {value!r}")
        expect("enum" not in schema or value in schema["enum"], f"{where} is {value!r}, which the document does not know")
        for name in schema.get("required", []):
            expect(name in value, f"{where} has no {name}: {value!r}")
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                self.hold(value[name], inner, f"{where}.{name}")
        for at, item in enumerate(value if "items" in schema else []):
            self.hold(item, schema["items"], f"{where}[{at}]")


def expect(holds, otherwise):
    if not holds:
        raise SystemExit(f"rest_client: {otherwise}")


def check(alice, bob):
    name = bob.call("status")["username"]
    print("connect:", alice.call("connect", peer_username=name))
    text = "¡Hola! 👋 <b>\"quoted\"</b> & more \\ \n"
    sent = alice.call("send", peer_username=name, content=text)
    print("send:", sent)
    deadline = time.monotonic() + TIMEOUT
    while True:
        message = alice.call("messages", peer=name, limit=1)["messages"][0]
        if message["delivery"] == "delivered":
            break
        expect(time.monotonic() < deadline, f"still {message['delivery']}: {message}")
        time.sleep(0.05)
    arrived = bob.call("messages", peer=alice.call("status")["username"], limit=1)["messages"][0]
    print("messages:", arrived)
    expect((arrived["id"], arrived["content"]) == (sent["id"], text), f"sent {text!r} as {sent['id']}, but bob has {arrived!r}")
    if "conversations" in alice.operations:
        print("conversations:", alice.call("conversations"))
    print("check passed")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--check", alice, bob]:
            check(Peer(alice), Peer(bob))
        case [url]:
            print("status:", Peer(url).call("status"))
        case _:
            raise SystemExit(__doc__)

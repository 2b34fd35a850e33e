#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""doc/openapi.yaml says what the server does: each documented operation is asked of a live cloisterd,
its status must be documented and its body must be of the documented form; and every route that the
server's table has is documented, with no other one."""

import http.server
import json
import os
import pathlib
import re
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))
from cloistertest import CHAIN, Tap, b64, run, tx  # noqa: E402
from servicetest import AdminPlatform, Service  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
WISH = {"user": "alice", "name": "main", "unrestricted": True}
NOBODY, NO_NAME = "00000000000000000000000000000001", "nobody"
NAMES = {"names": ["signer.example", "10.0.0.1"]}


class Node(http.server.BaseHTTPRequestHandler):
    """An Ethereum node that takes everything."""

    ANSWERS = {"eth_chainId": hex(CHAIN), "eth_getTransactionCount": "0x0",
               "eth_sendRawTransaction": "0x" + "11" * 32, "eth_getTransactionReceipt": None,
               "eth_getTransactionByHash": None}

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"jsonrpc": "2.0", "id": request["id"],
                             "result": self.ANSWERS.get(request["method"])}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


class Document:
    """The OpenAPI document, and the part of JSON Schema that it uses."""

    TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
             "integer": int}
    KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum", "const",
             "pattern", "minimum", "maximum", "minLength", "maxLength", "format", "description",
             "$ref", "default", "contentEncoding"}

    def __init__(self, path="doc/openapi.yaml"):
        text = (ROOT / path).read_text()
        self.root = json.loads(re.sub(r"^#.*\n", "", text))
        self.paths = self.root["paths"]

    def resolve(self, node):
        while "$ref" in node:
            at = self.root
            for part in node["$ref"][2:].split("/"):
                at = at[part]
            node = at
        return node

    def operations(self):
        return {(method.upper(), path) for path, item in self.paths.items() for method in item}

    def response(self, method, path, status):
        operation = self.paths[path][method.lower()]
        found = operation["responses"].get(str(status))
        return found and self.resolve(found)

    def mistakes(self, value, schema, where="body"):
        """What is wrong with a value, as a list of sentences."""
        schema = self.resolve(schema)
        unknown = set(schema) - self.KNOWN
        if unknown:
            return [f"{where}: the schema has {unknown}, which this test does not know"]
        found = []
        types = schema.get("type")
        types = [types] if isinstance(types, str) else types
        fits = types is None or any(isinstance(value, self.TYPES[t]) and not (
            t == "integer" and isinstance(value, bool)) for t in types)
        if not fits:
            return [f"{where}: {value!r} is no {types}"]
        if "const" in schema and value != schema["const"]:
            found.append(f"{where}: {value!r}, expected {schema['const']!r}")
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{where}: {value!r} is none of {schema['enum']}")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{where}: {value!r} is not {schema['pattern']}")
        if "minimum" in schema and value < schema["minimum"]:
            found.append(f"{where}: {value} is below {schema['minimum']}")
        if isinstance(value, dict):
            found += self._members(value, schema, where)
        if isinstance(value, list):
            for i, item in enumerate(value):
                found += self.mistakes(item, schema.get("items", {}), f"{where}[{i}]")
        return found

    def _members(self, value, schema, where):
        found = [f"{where}.{name} is missing" for name in schema.get("required", [])
                 if name not in value]
        for name, member in value.items():
            if name in schema.get("properties", {}):
                found += self.mistakes(member, schema["properties"][name], f"{where}.{name}")
            elif not schema.get("additionalProperties", True):
                found.append(f"{where}.{name} is not documented")
        return found


def server_routes():
    """The server's own table."""
    source = (ROOT / "src/parent/rest.c").read_text()
    rows = re.findall(r'\{ "([A-Z]+)",\s*"(/[^"]*)",\s*(REST_[A-Z]+)', source)
    return {(method, path.replace("*", "{id}").replace("@", "{name}")): token
            for method, path, token in rows}


def server_statuses():
    """The server's status for each error code by its wire name, and the table of PROTOCOL.md."""
    names = dict(re.findall(r'X\((ERR_[A-Z_]+), "([a-z_]+)"',
                            (ROOT / "src/base/err.h").read_text()))
    table = re.search(r"rest_statuses\[ERR_CODES\] = \{(.*?)\n\};",
                      (ROOT / "src/parent/rest.c").read_text(), re.S).group(1)
    served = {names[code]: int(status)
              for code, status in re.findall(r"\[(ERR_[A-Z_]+)\] = (\d+)", table)}
    served.pop("ok")
    text = (ROOT / "PROTOCOL.md").read_text()
    rows = text.split("| error code | HTTP status |")[1].split("\n\n")[0].splitlines()[2:]
    documented = {name.strip(): int(row.split("|")[2].split(",")[0])
                  for row in rows for name in row.split("|")[1].split(",")}
    return names, served, documented


class Asker:
    """Asks, and holds each answer against the document."""

    def __init__(self, tap, document, service):
        self.tap, self.document, self.service = tap, document, service
        self.asked = set()

    def __call__(self, name, method, path, expected, body=None, ident=None, query="", **options):
        """`ident` stands for the {id} or {name} of the path."""
        target = path.replace("{id}", ident or NOBODY).replace("{name}", ident or NO_NAME) + query
        status, answer = self.service.request(method, target, body, **options)
        self.asked.add((method, path))
        response = self.document.response(method, path, status)
        wrong = [] if status == expected else [f"status {status}, expected {expected}"]
        if not response:
            wrong.append(f"status {status} is not documented")
        else:
            content = response["content"]
            kind = "application/json" if not isinstance(answer, str) else "text/plain"
            wrong += (self.document.mistakes(answer, content[kind]["schema"]) if kind in content
                      else [f"{kind} is not documented"])
        self.tap.ok(not wrong, f"{method} {path}: {name}", f"{wrong}\n{str(answer)[:600]}")
        return answer


def routes(tap, document):
    served, documented = server_routes(), document.operations()
    tap.ok(len(served) >= 20, "the server's table is read", served)
    tap.ok(not set(served) - documented, "every route is documented", set(served) - documented)
    tap.ok(not documented - set(served), "nothing else is documented", documented - set(served))
    for (method, path), token in served.items():
        operation = document.paths[path][method.lower()]
        tap.ok((operation.get("security") == []) == (token == "REST_OPEN"),
               f"{method} {path}: who may ask is documented")


def statuses(tap, document):
    names, served, documented = server_statuses()
    tap.ok(set(served) == set(names.values()) - {"ok"}, "every error code has a status",
           set(names.values()) ^ set(served))
    tap.ok(served == documented, "PROTOCOL.md gives every code the server's status",
           set(served.items()) ^ set(documented.items()))
    codes = document.root["components"]["schemas"]["Error"]["properties"]["error"]["properties"]
    tap.ok(set(codes["code"]["enum"]) == set(served), "the document lists every code",
           set(codes["code"]["enum"]) ^ set(served))
    for method, path in sorted(document.operations()):
        given = {int(s) for s in document.paths[path][method.lower()]["responses"]}
        tap.ok(given <= set(served.values()) | {200, 201}, f"{method} {path}: statuses that exist",
               given)


def methods(tap, document, service):
    """405 with Allow for what a path does not have, OPTIONS, and HEAD as GET without the body."""
    for path in sorted(document.paths):
        target = path.replace("{id}", NOBODY).replace("{name}", NO_NAME)
        has = {m.upper() for m in document.paths[path]}
        allowed = has | {"OPTIONS"} | ({"HEAD"} if "GET" in has else set())
        for method in sorted({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"}
                             - allowed):
            status, fields, body = service.exchange(method, target)
            error = json.loads(body)["error"] if body else {"code": "unsupported"}
            tap.ok(status == 405 and listed(fields) == allowed and error["code"] == "unsupported",
                   f"{method} {path}: 405, and Allow says what there is",
                   (status, fields, body, allowed))
        status, fields, body = service.exchange("OPTIONS", target)
        tap.ok(status == 204 and listed(fields) == allowed and not body
               and "Content-Length" not in fields, f"OPTIONS {path}: what there is",
               (status, fields, body))
        if path != "/healthz":
            for method in ("OPTIONS", "BREW"):
                status, fields, _ = service.exchange(method, target, token="wrong" * 8)
                tap.ok(status == 401 and "Allow" not in fields,
                       f"{method} {path}: nothing for strangers", (status, fields))
        if "GET" in has:
            seen, fields, body = service.exchange("GET", target)
            status, head, nothing = service.exchange("HEAD", target)
            same = path in ("/metrics", "/v1/status", "/v1/attestation")  # numbers that go on
            tap.ok(status == seen and not nothing
                   and head.get("Content-Type") == fields.get("Content-Type")
                   and (same or int(head["Content-Length"]) == len(body)),
                   f"HEAD {path}: as GET, without the body", (seen, status, head, fields))
    status, fields, _ = service.exchange("OPTIONS", "/v1/nothing")
    tap.ok(status == 404 and "Allow" not in fields, "OPTIONS of no path: 404", (status, fields))


def listed(fields):
    return set(fields.get("Allow", "").split(", "))


def refusals(tap, ask, document):
    """What every operation answers to strangers, and to bodies that it does not know."""
    for method, path in sorted(document.operations()):
        if path == "/healthz":
            continue
        ask("without the token", method, path, 401, token="wrong" * 8)
        if method != "GET":
            ask("unknown field", method, path, 400, {"colour": 1},
                headers={"Idempotency-Key": "k"})
    for path in ("/v1/accounts/{id}", "/v1/manifest", "/v1/tls-keys/{name}"):
        ask("none", "GET", path, 404)
    for action in ("disable", "enable", "undelete"):
        ask("nobody", "POST", f"/v1/accounts/{{id}}/{action}", 404, {})
    tap.ok(True, "strangers were refused everywhere")


def manifest_bytes(service):
    """A manifest of two administrators, made by the tool."""
    path = service.platform.dir / "m.bin"
    service.cloister("manifest", "create", "--serial", "1", "--from-service", "-o", path)
    entries, message = b"", path.read_bytes()
    for i, admin in enumerate(service.platform.admins[:2]):
        signature = service.platform.dir / f"m{i}.sig"
        service.cloister("manifest", "sign", path, "--key", admin.key, "-o", signature)
        entries += bytes([i]) + bytes.fromhex(json.loads(signature.read_text())["signature"])
    return len(message).to_bytes(4, "big") + message + b"\x02" + entries


def administration(ask, service):
    ask("", "GET", "/v1/keysets", 200)
    ask("not READY", "GET", "/healthz", 503, token="")
    ask("not READY", "POST", "/v1/accounts", 503, WISH)
    ask("no manifest", "PUT", "/v1/manifest", 400, {"manifest_b64": "AAAA"})
    signed = manifest_bytes(service)
    ask("a damaged signature", "PUT", "/v1/manifest", 403,
        {"manifest_b64": b64(signed[:-1] + bytes([signed[-1] ^ 1]))})
    ask("applied", "PUT", "/v1/manifest", 200, {"manifest_b64": b64(signed)})
    ask("stored", "GET", "/v1/manifest", 200)
    service.wait_ready()
    ask("READY", "GET", "/healthz", 200, token="")
    ask("", "GET", "/v1/status", 200)
    ask("", "GET", "/v1/attestation", 200, query="?nonce=0x0102")
    ask("no nonce", "GET", "/v1/attestation", 400, query="?nonce=xyz")
    ask("", "GET", "/metrics", 200)


def accounts(ask):
    made = ask("made", "POST", "/v1/accounts", 201, {**WISH, "nonce": "0x01"})
    ident = made["account"]
    ask("again", "POST", "/v1/accounts", 200, {**WISH, "nonce": "0x01"})
    ask("other content", "POST", "/v1/accounts", 409, WISH)
    ask("no such keyset", "POST", "/v1/accounts", 404, {**WISH, "name": "n", "keyset": "x"})
    ask("second", "POST", "/v1/accounts", 201, {**WISH, "name": "second"})
    ask("a page", "GET", "/v1/accounts", 200, query="?user=alice&limit=1")
    ask("limit", "GET", "/v1/accounts", 400, query="?limit=0")
    ask("one", "GET", "/v1/accounts/{id}", 200, ident=ident)
    sign = "/v1/accounts/{id}/sign-transaction"
    ask("signed", "POST", sign, 200, {"tx": tx()}, ident)
    ask("a chain of nobody", "POST", sign, 403, {"tx": tx(chainId=1)}, ident)
    ask("no transaction", "POST", sign, 400, {"tx": {}}, ident)
    send = "/v1/accounts/{id}/send-transaction"
    ask("sent", "POST", send, 200, {"tx": tx()}, ident, headers={"Idempotency-Key": "1"})
    ask("without a key", "POST", send, 400, {"tx": tx()}, ident)
    ask("key of another", "POST", send, 409, {"tx": tx(value="7")}, ident,
        headers={"Idempotency-Key": "1"})
    for action, body in (("disable", None), ("enable", {}), ("delete", {"after_days": 7})):
        ask(action, "POST", f"/v1/accounts/{{id}}/{action}", 200, body, ident)
    ask("to be deleted", "POST", sign, 403, {"tx": tx()}, ident)
    ask("to be deleted", "POST", "/v1/accounts/{id}/enable", 403, {}, ident)
    ask("six days", "POST", "/v1/accounts/{id}/delete", 400, {"after_days": 6}, ident)
    ask("in time", "POST", "/v1/accounts/{id}/undelete", 200, None, ident)


def imports(ask):
    """The envelope itself is cli's to make (test/system/admin.py); here one that does not open."""
    offer = ask("an offer", "POST", "/v1/imports", 200, {**WISH, "name": "imported"})
    ask("name is taken", "POST", "/v1/imports", 409, WISH)
    good = {"enc": "0x" + "09" + 31 * "00", "ciphertext_b64": b64(bytes(160))}
    for name, status, field, body in (
            ("does not open", 409, "ciphertext_b64", good),
            ("a point of small order", 409, "enc", {**good, "enc": "0x" + "00" * 32}),
            ("enc of 31 bytes", 400, "enc", {**good, "enc": "0x" + "09" * 31}),
            ("enc that is no hex", 400, "enc", {**good, "enc": "0x" + "zz" * 32}),
            ("no enc", 400, "enc", {"ciphertext_b64": good["ciphertext_b64"]}),
            ("a ciphertext of 1 byte", 409, "ciphertext_b64", {**good, "ciphertext_b64": "AA=="}),
            ("a ciphertext of 161 bytes", 413, "ciphertext_b64",
             {**good, "ciphertext_b64": b64(bytes(161))}),
            ("a ciphertext that is no base64", 400, "ciphertext_b64",
             {**good, "ciphertext_b64": "?" * 200}),
            ("a long ciphertext", 400, "ciphertext_b64", {**good, "ciphertext_b64": "A" * 600}),
            ("no ciphertext", 400, "ciphertext_b64", {"enc": good["enc"]}),
            ("a long nonce", 400, "nonce", {**good, "nonce": "0x" + "00" * 65})):
        answer = ask(name, "POST", "/v1/imports/{id}", status, body, offer["account"])
        ask.tap.ok(field in answer.get("error", {}).get("message", ""),
                   f"import with {name}: the answer names {field}", answer)
    ask("of nothing", "POST", "/v1/imports/{id}", 404,
        {"enc": "0x" + "09" * 32, "ciphertext_b64": b64(bytes(160))})


def certificate_for(csr, folder, days=30):
    """A chain for a certificate request, issued by an authority of this test."""
    (folder / "csr.pem").write_text(csr)
    key, ca, leaf = folder / "ca.key", folder / "ca.pem", folder / "leaf.pem"
    if not ca.exists():
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=ca", "-days", "30", "-keyout", key, "-out", ca)
    run("openssl", "x509", "-req", "-in", folder / "csr.pem", "-CA", ca, "-CAkey", key, "-days",
        str(days), "-copy_extensions", "copy", "-out", leaf)
    return leaf.read_text() + ca.read_text()


def tls_keys(ask, folder):
    made = ask("made", "POST", "/v1/tls-keys", 201, {"name": "front", "nonce": "0x01"})
    ask("again", "POST", "/v1/tls-keys", 200, {"name": "front", "nonce": "0x01"})
    ask("other content", "POST", "/v1/tls-keys", 409, {"name": "front"})
    ask("a keyset for accounts", "POST", "/v1/tls-keys", 409, {"name": "a", "keyset": "main"})
    ask("a name of others", "POST", "/v1/tls-keys", 400, {"name": "A"})
    ask("another", "POST", "/v1/tls-keys", 201, {"name": "spare", "keyset": "web"})
    ask("an account among them", "POST", "/v1/accounts", 409, {**WISH, "name": "n", "keyset": "web"})
    csr, install = "/v1/tls-keys/{name}/csr", "/v1/tls-keys/{name}/certificate"
    request = ask("for two names", "POST", csr, 200, NAMES, "front")["csr_pem"]
    ask("nobody", "POST", csr, 404, NAMES)
    ask("no name", "POST", csr, 400, {"names": ["not a name"]}, "front")
    ask("self-signed", "PUT", install, 200, NAMES, "front")
    ask("nobody", "PUT", install, 404, NAMES)
    ask("no chain", "PUT", install, 400, {"certificate_pem": "?"}, "front")
    chain = certificate_for(request, folder)
    ask("of another key", "PUT", install, 409, {"certificate_pem": chain}, "spare")
    issued = ask("issued", "PUT", install, 200, {"certificate_pem": chain}, "front")
    ask.tap.ok(issued["key"] == made["key"] and issued["state"] == "in_use"
               and issued["certificate_pem"] == chain and not issued["self_signed"],
               "the issued chain is the one in use", issued)
    ask("in use", "DELETE", "/v1/tls-keys/{name}", 409, ident="front")
    ask("not in use", "DELETE", "/v1/tls-keys/{name}", 200, ident="spare")
    ask("one", "GET", "/v1/tls-keys/{name}", 200, ident="front")
    ask("all", "GET", "/v1/tls-keys", 200)
    offer = ask("an offer", "POST", "/v1/tls-imports", 200, {"name": "old"})
    ask("name is taken", "POST", "/v1/tls-imports", 409, {"name": "front"})
    ask("does not open", "POST", "/v1/tls-imports/{id}", 409,
        {"enc": "0x" + "09" + 31 * "00", "ciphertext_b64": b64(bytes(160))}, offer["key"])
    ask("of nothing", "POST", "/v1/tls-imports/{id}", 404,
        {"enc": "0x" + "09" * 32, "ciphertext_b64": b64(bytes(160))})


def sealing(ask):
    ask("sealed", "POST", "/v1/seal", 200)
    ask("again", "POST", "/v1/seal", 200, {})
    ask("no approvals", "POST", "/v1/unseal", 403, {"approvals_b64": b64(b"\0")})
    ask("no list", "POST", "/v1/unseal", 400, {"approvals_b64": "?"})


def main():
    tap, document = Tap(), Document()
    routes(tap, document)
    statuses(tap, document)
    node = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Node)
    threading.Thread(target=node.serve_forever, daemon=True).start()
    platform, service = AdminPlatform(tls=True), None
    try:
        platform.start()
        service = Service(platform, f"node = http://127.0.0.1:{node.server_port}").start()
        ask = Asker(tap, document, service)
        service.wait_problem("not admitted")
        refusals(tap, ask, document)
        methods(tap, document, service)
        administration(ask, service)
        accounts(ask)
        imports(ask)
        tls_keys(ask, platform.dir)
        sealing(ask)
        tap.ok(document.operations() == ask.asked, "every documented operation was asked",
               document.operations() - ask.asked)
    finally:
        if service:
            service.stop()
        platform.remove()
    tap.done()


if __name__ == "__main__":
    main()

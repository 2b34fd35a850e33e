# SPDX-License-Identifier: Apache-2.0
"""Key policies, decided a second time: written after the IAM User Guide ("Policy evaluation logic",
"Condition operators") and the AWS KMS Developer Guide ("Condition keys"), and after the emulator's
one stated rule about other accounts: without identity policies, a caller of another account is
allowed only by a statement that names it. And a generator of random policies and requests."""

import random
import re

ACCOUNTS = ("111122223333", "444455556666")
KEY = "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-4321-8765-123456789abc"
ROLES = tuple(f"arn:aws:iam::{a}:role/{r}" for a in ACCOUNTS for r in ("signer", "path/other"))
ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:PutKeyPolicy",
           "kms:Encrypt", "kms:ReEncryptFrom", "kms:DescribeKey")
PATTERNS = ACTIONS + ("*", "kms:*", "kms:Generate*", "KMS:decrypt", "kms:*Key*", "kms:De?rypt",
                      "kms:ReEncrypt*", "kms:Decrypt?", "s3:*", "kms:*crypt*From")
DIGESTS = tuple(c * 96 for c in "0ab")
NAMES = ("service", "Service", "purpose", "keyset")
VALUES = ("cloister", "Cloister", "main", "datakey", "x*y", "")
STRINGS = {"StringEquals": ("=", False), "StringNotEquals": ("=", True),
           "StringEqualsIgnoreCase": ("i", False), "StringNotEqualsIgnoreCase": ("i", True),
           "StringLike": ("*", False), "StringNotLike": ("*", True)}


def listed(value):
    return value if isinstance(value, list) else [value]


def wild(pattern, text, flags=0):
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(c) or re.escape(c) for c in pattern)
    return re.fullmatch(expression, text, flags | re.DOTALL) is not None


def values_of(request, key):
    """The values that a request has for a condition key, whose name compares in any case."""
    name = key.lower()
    account = request["caller"].split(":")[4]
    context = request.get("encryption_context") or {}
    if name.startswith("kms:recipientattestation:"):
        pcr = name.rsplit(":", 1)[1].replace("imagesha384", "pcr0")
        pcrs = {k.lower(): v for k, v in (request.get("recipient") or {}).items()}
        return [pcrs[pcr]] if pcr in pcrs else []
    if name.startswith("kms:encryptioncontext:"):
        wanted = name[len("kms:encryptioncontext:"):]
        return [v for k, v in context.items() if k.lower() == wanted]
    if name == "kms:bypasspolicylockoutsafetycheck":
        puts = request["action"] in ("kms:PutKeyPolicy", "kms:CreateKey")
        return [str(request.get("bypass", False)).lower()] if puts else []
    return {"kms:encryptioncontextkeys": list(context), "kms:calleraccount": [account],
            "aws:principalaccount": [account], "aws:principalarn": [request["caller"]],
            "aws:securetransport": ["true"]}[name]


def compare(how, pattern, value):
    if how == "*":
        return wild(pattern, value)
    return pattern.lower() == value.lower() if how == "i" else pattern == value


def condition_holds(operator, key, expected, request):
    values = values_of(request, key)
    expected = listed(expected)
    quantity, _, bare = operator.rpartition(":")
    if bare == "Null":
        return any(e.lower() == str(not values).lower() for e in expected)
    how, negated = STRINGS.get(bare, ("i", False))  # Bool compares in any case

    def holds(value):
        return any(compare(how, e, value) for e in expected) != negated
    if quantity == "ForAllValues":
        return all(holds(v) for v in values)
    if quantity == "ForAnyValue":
        return any(holds(v) for v in values)
    return holds(values[0]) if values else negated


def principal_matches(statement, request):
    principal = statement["Principal"]
    names = listed(principal if principal == "*" else principal["AWS"])
    account = request["caller"].split(":")[4]
    foreign = account != request["key"].split(":")[4]
    if request["caller"] in names or request.get("session") in names:
        return True
    if foreign and statement["Effect"] == "Allow":
        return False
    return any(n in ("*", account, f"arn:aws:iam::{account}:root") for n in names)


def matches(statement, request):
    return (principal_matches(statement, request)
            and any(wild(a, request["action"], re.IGNORECASE) for a in listed(statement["Action"]))
            and any(wild(r, request["key"]) for r in listed(statement["Resource"]))
            and all(condition_holds(operator, key, expected, request)
                    for operator, block in statement.get("Condition", {}).items()
                    for key, expected in block.items()))


def decide(policy, request):
    """The words that `cloister-emu key policy-test` prints."""
    hits = [(s["Effect"], i) for i, s in enumerate(listed(policy["Statement"]), 1)
            if matches(s, request)]
    for effect in ("Deny", "Allow"):
        for hit, number in hits:
            if hit == effect:
                return f"{effect.lower()} statement {number}"
    return "deny"


# -- the generator ---------------------------------------------------------------------------------

def some(pool):
    """One value of the pool, or a list of some."""
    return random.choice(pool) if random.random() < 0.6 else random.sample(pool, random.randint(1, 3))


def any_case(text):
    return text if random.random() < 0.8 else random.choice((text.lower(), text.upper()))


def random_condition():
    """One operator with one key, as AWS allows them to be combined."""
    kind = random.randrange(8)
    if kind == 0:
        key = random.choice(("kms:RecipientAttestation:PCR0", "kms:EncryptionContext:service",
                             "kms:EncryptionContextKeys", "kms:CallerAccount"))
        return "Null", any_case(key), random.choice(("true", "false", "True"))
    if kind == 1:
        return "Bool", random.choice(("aws:SecureTransport", "kms:BypassPolicyLockoutSafetyCheck")), \
            random.choice(("true", "false", "TRUE"))
    operator = random.choice(tuple(STRINGS))
    if kind == 2:
        return f"{random.choice(('ForAllValues', 'ForAnyValue'))}:{operator}", \
            any_case("kms:EncryptionContextKeys"), some(NAMES + ("*", "s*"))
    if random.random() < 0.15:
        operator = f"{random.choice(('ForAllValues', 'ForAnyValue'))}:{operator}"
    if kind in (3, 4):
        index = random.choice(("PCR0", "PCR3", "PCR16", "PCR31", "ImageSha384"))
        return operator, any_case(f"kms:RecipientAttestation:{index}"), \
            some(DIGESTS + ("A" * 96, "a*", "?" * 96))
    if kind in (5, 6):
        return operator, any_case(f"kms:EncryptionContext:{random.choice(NAMES)}"), \
            some(VALUES + ("*", "clo*", "????"))
    key = random.choice(("kms:CallerAccount", "aws:PrincipalAccount", "aws:PrincipalArn"))
    return operator, any_case(key), some(ACCOUNTS + ROLES + ("*", "arn:aws:iam::*:role/signer"))


def session_of(role):
    return role.replace(":iam:", ":sts:").replace(":role/path/", ":role/").replace(
        ":role/", ":assumed-role/") + "/i-0"


def random_principal():
    if random.random() < 0.25:
        return "*"
    roots = tuple(f"arn:aws:iam::{a}:root" for a in ACCOUNTS)
    return {"AWS": some(("*",) + ACCOUNTS + roots + ROLES * 2
                        + tuple(session_of(r) for r in ROLES))}


def random_statement():
    statement = {"Effect": "Allow" if random.random() < 0.75 else "Deny",
                 "Principal": random_principal(), "Action": some(PATTERNS + ("*", "kms:*") * 6),
                 "Resource": some(("*",) * 6 + (KEY, KEY[:-1] + "?", "arn:aws:kms:*", KEY + "x"))}
    if random.random() < 0.3:
        statement["Sid"] = f"s{random.randrange(99)}"
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        operator, key, value = random_condition()
        statement.setdefault("Condition", {}).setdefault(operator, {})[key] = value
    return statement


def random_policy():
    statements = [random_statement() for _ in range(random.randint(1, 4))]
    policy = {"Statement": statements[0] if len(statements) == 1 and random.random() < 0.3
              else statements}
    if random.random() < 0.7:
        policy["Version"] = random.choice(("2012-10-17", "2008-10-17"))
    return policy


def spoil(policy):
    """A policy that PutKeyPolicy must refuse; says why."""
    statement = listed(policy["Statement"])[0]
    how = random.choice(("operator", "key", "PCR", "NotAction", "principal", "version", "effect",
                         "names", "variable", "member", "value"))
    change = {
        "operator": {"Condition": {"StringMaybe": {"kms:CallerAccount": "1"}}},
        "key": {"Condition": {"StringEquals": {"kms:NoSuchKey": "1"}}},
        "PCR": {"Condition": {"StringEquals": {"kms:RecipientAttestation:PCR32": "0"}}},
        "NotAction": {"NotAction": "kms:Decrypt"},
        "principal": {"Principal": {"AWS": "arn:aws:iam::111122223333:role/*"}},
        "effect": {"Effect": "allow"},
        "names": {"Condition": {"StringEquals": {"kms:EncryptionContextKeys": "a"}}},
        "variable": {"Condition": {"StringEquals": {"aws:PrincipalArn": "${aws:username}"}}},
        "value": {"Condition": {"StringEquals": {"kms:CallerAccount": 1}}},
    }
    statement.update(change.get(how, {}))
    if how == "version":
        policy["Version"] = "2020-01-01"
    if how == "member":
        policy["Statements"] = []
    return how


def random_request():
    caller = random.choice(ROLES + ROLES[:2] * 2)
    request = {"action": random.choice(ACTIONS + ACTIONS[:2] * 2), "caller": caller, "key": KEY,
               "bypass": random.random() < 0.3}
    if random.random() < 0.8:
        request["session"] = session_of(caller)
    if random.random() < 0.7:
        request["recipient"] = {p: random.choice(DIGESTS) for p in
                                random.sample(("PCR0", "PCR3", "PCR16", "PCR31"), 3)}
    if random.random() < 0.7:
        names = random.sample(("service", "purpose", "keyset"), random.randint(0, 3))
        request["encryption_context"] = {any_case(n): random.choice(VALUES) for n in names}
    return request

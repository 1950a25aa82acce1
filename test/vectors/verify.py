#!/usr/bin/env python3
"""A second verifier of Quorate's receipts and proofs of state, written from docs/receipts.md and docs/state-proofs.md
alone: that the pages say enough.

    verify.py FILE.json MEMBERSHIP.json      prints "valid", or "invalid" and the code; exit status 0 or 1
    verify.py --vectors FOLDER               judges all test vectors

Python's standard library and nothing else. The arithmetic takes no care of timing: nothing here is secret.
"""

import base64
import binascii
import functools
import hashlib
import json
import re
import sys
from pathlib import Path


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


def demand(condition, code):
    if not condition:
        raise Refused(code)


# ---------------------------------------------------------------------------------------------- bytes


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def unsigned(value, length):
    return int(value).to_bytes(length, "big")


def string(text):
    encoded = text.encode("utf-8")
    return unsigned(len(encoded), 2) + encoded


def domain(text):
    return text.encode("ascii") + b"\0"


# ------------------------------------------------------------------------ edwards25519, RFC 8032 §5.1

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

# Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x·y = T/Z.
IDENTITY = (0, 1, 1, 0)


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    result = IDENTITY
    while scalar > 0:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def is_identity(point):
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


def encode(point):
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(encoded):
    """The point, or None unless these are the canonical encoding of one."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P != 0:
        x = x * SQRT_OF_MINUS_1 % P
    if (x * x - xx) % P != 0 or (x == 0 and sign == 1):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = decode(bytes.fromhex("58" + "66" * 31))


def is_sound(public_key):
    point = decode(public_key)
    return point is not None and not is_identity(multiply(8, point)) and is_identity(multiply(L, point))


def verifies(public_key, message, signature):
    point = decode(public_key)
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if point is None or r == encode(IDENTITY) or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(r + public_key + message).digest(), "little") % L
    x, y, z, t = multiply(h, point)
    return encode(add(multiply(s, BASE), (-x % P, y, z, -t % P))) == r


# ------------------------------------------------------------------------------------------ reading JSON

FILE_BYTES_MAX = 1048576
DEPTH_MAX = 65
PROOF_BYTES_MAX = 8388608
PROOF_DEPTH_MAX = 70
SAFE_INTEGER_MAX = 2**53 - 1


def decimal_value(text):
    """A decimal number as (digits without zeros at their ends, power of ten of the last digit); zero is (0, 0)."""
    mantissa, _, exponent = text.lower().lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    if digits == "":
        return ("", 0)
    stripped = digits.rstrip("0")
    return (stripped, int(exponent or "0") - len(fraction) + len(digits) - len(stripped))


def number(text):
    value = float(text)
    if value in (float("inf"), float("-inf")) or (value == 0 and text.startswith("-")):
        raise ValueError("a number that is none of ours")
    if value.is_integer() and abs(value) > SAFE_INTEGER_MAX:
        raise ValueError("an integer out of bounds")
    if decimal_value(text) != decimal_value(repr(value)):
        raise ValueError("a number with digits that are lost")
    return value


def constant(name):
    raise ValueError(name + " is no JSON")


def members(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value


def check_value(value, depth_max, depth=0):
    if isinstance(value, str):
        value.encode("utf-8")  # fails for half of a surrogate pair
    elif isinstance(value, (list, dict)):
        if depth == depth_max:
            raise ValueError("nested too deep")
        for key in value if isinstance(value, dict) else ():
            check_value(key, depth_max)
        for element in value.values() if isinstance(value, dict) else value:
            check_value(element, depth_max, depth + 1)


def read_json(data, code, bytes_max=FILE_BYTES_MAX, depth_max=DEPTH_MAX):
    try:
        if len(data) > bytes_max:
            raise ValueError("the file is too large")
        text = data.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=members, parse_int=number, parse_float=number, parse_constant=constant
        )
        check_value(value, depth_max)
        return value
    except (ValueError, RecursionError) as error:
        raise Refused(code) from error


def number_text(value):
    """A double as ECMAScript writes it."""
    digits, power = decimal_value(repr(value))
    if digits == "":
        return "0"
    sign = "-" if value < 0 else ""
    point = len(digits) + power  # the decimal point's place, from the left end of the digits
    if power >= 0 and point <= 21:
        return sign + digits + "0" * power
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    mantissa = digits if len(digits) == 1 else digits[0] + "." + digits[1:]
    return "%s%se%+d" % (sign, mantissa, point - 1)


def canonical(value):
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(canonical(key) + ":" + canonical(value[key]) for key in keys) + "}"


# ------------------------------------------------------------------------------------------- the forms


class Form:
    """Reads values of one file; whatever is not as it should be is refused with the file's code."""

    def __init__(self, code):
        self.code = code

    def object(self, value, names):
        demand(isinstance(value, dict) and set(value) == set(names), self.code)
        return [value[name] for name in names]

    def array(self, value, most):
        demand(isinstance(value, list) and len(value) <= most, self.code)
        return value

    def integer(self, value, least=0, most=SAFE_INTEGER_MAX):
        demand(isinstance(value, float) and value.is_integer() and least <= value <= most, self.code)
        return int(value)

    def text(self, value, least=0, most=FILE_BYTES_MAX):
        demand(isinstance(value, str) and least <= len(value.encode("utf-8")) <= most, self.code)
        return value

    def name(self, value):
        demand(isinstance(value, str) and re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,31}", value), self.code)
        return value

    def hex(self, value):
        demand(isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value), self.code)
        return bytes.fromhex(value)

    def base64(self, value, length):
        demand(isinstance(value, str), self.code)
        try:
            decoded = base64.b64decode(value.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise Refused(self.code) from error
        demand(len(decoded) == length and base64.b64encode(decoded).decode("ascii") == value, self.code)
        return decoded


# -------------------------------------------------------------------------------------- the membership


class Membership:
    def __init__(self, data):
        code = "invalid-membership"
        form = Form(code)
        document = read_json(data, code)
        cluster, epoch, n, f, quorum, genesis, replicas = form.object(
            document, ["cluster", "epoch", "n", "f", "quorum", "genesis", "replicas"]
        )
        digest, machine, interval, log_size, authority, signatures = form.object(
            genesis, ["digest", "stateMachine", "checkpointInterval", "logSize", "authority", "signatures"]
        )
        self.cluster = form.name(cluster)
        self.epoch = form.integer(epoch, 0, 0)
        n = form.integer(n, 4, 64)
        self.f = form.integer(f)
        self.quorum = form.integer(quorum)
        demand(self.f == (n - 1) // 3 and self.quorum == (n + self.f + 2) // 2, code)
        form.text(machine, 1, 255)
        interval = form.integer(interval, 1, 2**32 - 1)
        log_size = form.integer(log_size, 2 * interval, 2**32 - 1)
        authority = form.base64(authority, 32)

        self.public_keys = {}
        enrolments = []
        demand(len(form.array(replicas, 64)) == n, code)
        for replica in replicas:
            name, public_key, enrolment = form.object(replica, ["id", "publicKey", "enrolment"])
            demand(form.name(name) not in self.public_keys, code)
            self.public_keys[name] = form.base64(public_key, 32)
            enrolments.append(form.base64(enrolment, 64))
        keys = [authority, *self.public_keys.values()]
        demand(len(set(keys)) == n + 1 and all(map(is_sound, keys)), code)

        encoded = domain("quorate/1/genesis") + string(cluster) + authority + string(machine)
        encoded += unsigned(interval, 4) + unsigned(log_size, 4) + unsigned(n, 2)
        for name, public_key in self.public_keys.items():
            encoded += string(name) + public_key
        self.digest = sha256(encoded)
        demand(form.hex(digest) == self.digest, code)

        demand(len(form.array(signatures, 64)) == n, code)
        statement = domain("quorate/1") + self.digest + unsigned(0, 8) + unsigned(0, 1)
        for (name, public_key), entry, enrolment in zip(self.public_keys.items(), signatures, enrolments):
            signer, signature = form.object(entry, ["replica", "signature"])
            demand(signer == name and verifies(public_key, statement, form.base64(signature, 64)), code)
            admitted = domain("quorate/1/enrol") + string(cluster) + unsigned(0, 1) + public_key
            names = (string(name), string(""))
            demand(any(verifies(authority, admitted + each, enrolment) for each in names), code)


# --------------------------------------------------------------------------------------- signatures


def read_signatures(form, value, most):
    signatures = []
    for entry in form.array(value, most):
        replica, signature = form.object(entry, ["replica", "signature"])
        signatures.append((form.text(replica), form.base64(signature, 64)))
    return signatures


def check_signatures(signatures, membership, statement, least):
    demand(len(signatures) >= least, "too-few-signatures")
    signers = set()
    for replica, signature in signatures:
        demand(replica in membership.public_keys, "unknown-replica")
        demand(replica not in signers, "repeated-replica")
        signers.add(replica)
        demand(verifies(membership.public_keys[replica], statement, signature), "invalid-signature")


# ----------------------------------------------------------------------------------------- the receipt


def root_of(leaf, index, size, path):
    code = "wrong-proof"
    r, i, last, left = leaf, index, size - 1, list(path)
    demand(i <= last, code)
    while last > 0:
        if i % 2 == 1 or i < last:
            demand(left, code)
            sibling = left.pop(0)
            r = sha256(b"\1", sibling, r) if i % 2 == 1 else sha256(b"\1", r, sibling)
        i, last = i // 2, last // 2
    demand(not left, code)
    return r


def verify_receipt(data, membership):
    """Raises Refused unless the receipt is genuine."""
    form = Form("malformed")
    value = read_json(data, "malformed")

    reply = None
    if isinstance(value, dict) and "receipt" in value:
        names = ["id", "client", "timestamp", "view", "sequence", "result", "receipt"]
        reply = form.object(value, names)
        reply_id = form.hex(reply[0])
        form.text(reply[1], 1, 80)
        form.integer(reply[2])
        form.integer(reply[3])
        form.integer(reply[4], 1)
        value = reply[6]
    names = ["cluster", "epoch", "view", "sequence", "client", "timestamp"]
    names += ["operationDigest", "requestDigest", "resultDigest", "proof", "signatures"]
    cluster, epoch, view, sequence, client, timestamp, *rest = form.object(value, names)
    operation_digest, request_digest, result_digest = map(form.hex, rest[:3])
    form.text(cluster)
    form.integer(epoch)
    view = form.integer(view)
    sequence = form.integer(sequence, 1)
    form.text(client, 1, 80)
    timestamp = form.integer(timestamp)
    index, size, path = form.object(rest[3], ["index", "size", "path"])
    index = form.integer(index)
    size = form.integer(size, 1, 1024)
    path = [form.hex(node) for node in form.array(path, 10)]
    signatures = read_signatures(form, rest[4], FILE_BYTES_MAX)

    demand(cluster == membership.cluster, "other-cluster")
    demand(epoch == membership.epoch, "other-epoch")
    if reply is not None:
        same = reply_id == request_digest and reply[1:5] == [client, timestamp, view, sequence]
        demand(same, "inconsistent-reply")
    request = domain("quorate/1/request") + string(client) + unsigned(timestamp, 8) + operation_digest
    demand(sha256(request) == request_digest, "wrong-request-digest")
    if reply is not None:
        demand(sha256(canonical(reply[5]).encode("utf-8")) == result_digest, "wrong-result-digest")
    root = root_of(sha256(b"\0", request_digest, result_digest), index, size, path)
    statement = domain("quorate/1") + membership.digest + unsigned(epoch, 8) + unsigned(5, 1)
    statement += unsigned(view, 8) + unsigned(sequence, 8) + unsigned(size, 4) + root
    check_signatures(signatures, membership, statement, membership.f + 1)


# ------------------------------------------------------------------------------------ the proof of state

PLACE_BITS = 14
WIDTHS = (16, 8, 16, 8)
PATH_LENGTH = sum(width - 1 for width in WIDTHS)
ENTRIES_MAX = 65536


def looks_like_state_proof(data):
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "checkpoint" in value


def entry_hash(entry):
    key, value = entry
    demand(len(key.encode("utf-8")) <= 0xFFFF, "malformed")
    return sha256(b"\2", string(key), canonical(value).encode("utf-8"))


def units(text):
    """Compares as UTF-16 code units do."""
    return text.encode("utf-16-be")


def read_neighbour(form, value):
    if value is None:
        return None
    key, held = form.object(value, ["key", "value"])
    return form.text(key, 0, PROOF_BYTES_MAX), held


def check_absence(key, hashes, before, after):
    code = "not-absent"
    demand(before is None or units(before[0]) < units(key), code)
    demand(after is None or units(key) < units(after[0]), code)
    if before is None:
        place = 0
    else:
        wanted = entry_hash(before)
        demand(wanted in hashes, code)
        place = hashes.index(wanted) + 1
    if after is None:
        demand(place == len(hashes), code)
    else:
        demand(place < len(hashes) and hashes[place] == entry_hash(after), code)


def verify_state_proof(data, membership):
    """Raises Refused unless the proof of state is genuine."""
    form = Form("malformed")
    value = read_json(data, "malformed", PROOF_BYTES_MAX, PROOF_DEPTH_MAX)
    demand(isinstance(value, dict) and isinstance(value.get("found"), bool), "malformed")
    names = ["cluster", "epoch", "key", "found", "checkpoint", "hashes", "path"]
    names.append("value" if value["found"] else "neighbours")
    cluster, epoch, key, found, checkpoint, hashes, path, shown = form.object(value, names)
    form.text(cluster, 0, PROOF_BYTES_MAX)
    epoch = form.integer(epoch)
    form.text(key, 0, PROOF_BYTES_MAX)
    sequence, time, roots, signatures = form.object(checkpoint, ["sequence", "time", "roots", "signatures"])
    sequence = form.integer(sequence, 1)
    time = form.integer(time)
    roots = [form.hex(root) for root in form.array(roots, 2)]
    demand(len(roots) == 2, "malformed")
    signatures = read_signatures(form, signatures, 64)
    hashes = [form.hex(one) for one in form.array(hashes, ENTRIES_MAX)]
    path = [form.hex(node) for node in form.array(path, PATH_LENGTH)]
    demand(len(path) == PATH_LENGTH, "malformed")
    if not found:
        before, after = (read_neighbour(form, one) for one in form.object(shown, ["before", "after"]))

    demand(cluster == membership.cluster, "other-cluster")
    demand(epoch == membership.epoch, "other-epoch")
    if found:
        demand(entry_hash((key, shown)) in hashes, "wrong-value")
    else:
        check_absence(key, hashes, before, after)
    i = int.from_bytes(sha256(key.encode("utf-8"))[:2], "big") >> (16 - PLACE_BITS)
    r = sha256(b"\0", *hashes)
    for width in WIDTHS:
        nodes, path = path[: width - 1], path[width - 1 :]
        nodes.insert(i % width, r)
        r = sha256(b"\1", *nodes)
        i //= width
    demand(r == roots[0], "wrong-value")
    digest = sha256(domain("quorate/1/checkpoint"), unsigned(sequence, 8), unsigned(time, 8), *roots)
    statement = domain("quorate/1") + membership.digest + unsigned(epoch, 8) + unsigned(6, 1)
    statement += unsigned(sequence, 8) + digest
    check_signatures(signatures, membership, statement, membership.quorum)


# ------------------------------------------------------------------------------------------- judging


@functools.cache
def read_membership(data):
    return Membership(data)


def judge(verify, data, membership_data):
    """The refusal's code, or None for what is genuine."""
    try:
        verify(data, read_membership(membership_data))
        return None
    except Refused as refusal:
        return refusal.code


def judge_vectors(folder):
    kinds = {"receipts": verify_receipt, "state-proofs": verify_state_proof}
    files = [(file, verify) for kind, verify in kinds.items() for file in sorted((folder / kind).glob("*.json"))]
    failures = 0
    for file, verify in files:
        vector = json.loads(file.read_text("utf-8"))
        if "membershipText" in vector:
            membership = vector["membershipText"].encode("utf-8")
        else:
            membership = (folder / "memberships" / (vector["membership"] + ".json")).read_bytes()
        code = judge(verify, vector["text"].encode("utf-8"), membership)
        if code != vector["expected"].get("code") or (code is None) != vector["expected"]["valid"]:
            failures += 1
            print("%s: %s, not as expected" % (file.name, code or "valid"))
    print("%d vectors, %s" % (len(files), "%d not as expected" % failures if failures else "all as expected"))
    return failures


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    if arguments[0] == "--vectors":
        sys.exit(1 if judge_vectors(Path(arguments[1])) else 0)
    data, membership = (Path(argument).read_bytes() for argument in arguments)
    code = judge(verify_state_proof if looks_like_state_proof(data) else verify_receipt, data, membership)
    print("valid" if code is None else "invalid: " + code)
    sys.exit(0 if code is None else 1)


if __name__ == "__main__":
    main(sys.argv[1:])

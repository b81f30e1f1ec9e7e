"""Drives libtorrent's DHT by lines of JSON, in the words that `benches/contender` answers too.

Separate from the peer of the interop tests, which says what was stored and found: here only time is asked for.
"""

import hashlib
import json
import sys
import time
import warnings

import libtorrent as lt

warnings.simplefilter("ignore", DeprecationWarning)

ALERTS = lt.alert.category_t.dht_notification | lt.alert.category_t.dht_operation_notification

SETTINGS = {
    "alert_mask": int(ALERTS),
    "alert_queue_size": 100000,
    "enable_dht": True,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "dht_bootstrap_nodes": "",
    # One load generator asks for everybody.
    "dht_block_ratelimit": 100000000,
    "dht_upload_rate_limit": 1000000000,
    "dht_prefer_verified_node_ids": False,
    "dht_ignore_dark_internet": False,
}

P = 2 ** 255 - 19
sessions = []


def public_key(seed):
    """Ed25519 by the book (RFC 8032): slow, and out of every timed part."""
    d = -121665 * pow(121666, P - 2, P) % P

    def add(a, b):
        x = (a[1] - a[0]) * (b[1] - b[0]) % P
        y = (a[1] + a[0]) * (b[1] + b[0]) % P
        t, z = 2 * a[3] * b[3] * d % P, 2 * a[2] * b[2] % P
        e, f, g, h = y - x, z - t, z + t, y + x
        return (e * f % P, g * h % P, f * g % P, e * h % P)

    y = 4 * pow(5, P - 2, P) % P
    xx = (y * y - 1) * pow(d * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    x = P - x if x & 1 else x
    point, total, scalar = (x, y, 1, x * y % P), (0, 1, 1, 0), int.from_bytes(expanded(seed)[:32], "little")
    while scalar:
        total = add(total, point) if scalar & 1 else total
        point, scalar = add(point, point), scalar >> 1
    inverse = pow(total[2], P - 2, P)
    x, y = total[0] * inverse % P, total[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def expanded(seed):
    digest = bytearray(hashlib.sha512(seed).digest())
    digest[0] &= 248
    digest[31] = (digest[31] & 63) | 64
    return bytes(digest)


def seed_of(index):
    return index.to_bytes(8, "little") + b"\x42" * 24


def new_session(bootstrap):
    session = lt.session(dict(SETTINGS, listen_interfaces="127.0.0.1:0"))
    sessions.append(session)
    while session.listen_port() == 0:
        time.sleep(0.01)
    for address in bootstrap:
        host, port = address.rsplit(":", 1)
        session.add_dht_node((host, int(port)))
    return session


def wait_for_nodes(session, wanted, seconds):
    end = time.monotonic() + seconds
    while session.status().dht_nodes < wanted and time.monotonic() < end:
        time.sleep(0.005)
    return session.status().dht_nodes >= wanted


def serve(request):
    session = new_session(request.get("bootstrap", []))
    wait_for_nodes(session, 40, 20)
    return {"address": "127.0.0.1:%d" % session.listen_port()}


def join(request):
    session = new_session(request["bootstrap"])
    return {"ready": wait_for_nodes(session, 8, 20)}


def testnet(request):
    start = time.monotonic()
    first = new_session([])
    known = "127.0.0.1:%d" % first.listen_port()
    others = [new_session([known]) for _ in range(request["nodes"] - 1)]
    for session in others:
        wait_for_nodes(session, 1, 20)
    return {"ready_ms": (time.monotonic() - start) * 1000}


def put(request):
    keys = {public_key(seed_of(i)): i for i in spread(request)}

    def begin(session, key):
        session.dht_put_mutable_item(expanded(seed_of(keys[key])), key, b"v" * 100, b"")

    def ended(alert):
        if isinstance(alert, lt.dht_put_alert):
            return bytes(alert.public_key), alert.num_success > 0, True
        return None

    return many(list(keys), request["parallel"], begin, ended)


def get(request):
    keys = [public_key(seed_of(i)) for i in spread(request)]

    def begin(session, key):
        session.dht_get_mutable_item(key, b"")

    def ended(alert):
        if isinstance(alert, lt.dht_mutable_item_alert):
            found = alert.item["value"] if isinstance(alert.item, dict) else alert.item
            return bytes(alert.key), bool(found), alert.authoritative
        return None

    return many(keys, request["parallel"], begin, ended)


def spread(request):
    return range(request["first"], request["first"] + request["count"])


def many(keys, parallel, begin, ended):
    session = sessions[0]
    session.pop_alerts()
    waiting, running, first, done = keys[::-1], {}, {}, {}
    start = time.monotonic()
    end = start + 120
    while (waiting or running) and time.monotonic() < end:
        while waiting and len(running) < parallel:
            key = waiting.pop()
            running[key] = time.monotonic()
            begin(session, key)
        session.wait_for_alert(100)
        now = time.monotonic()
        for alert in session.pop_alerts():
            told = ended(alert)
            if told is None or told[0] not in running:
                continue
            key, well, last = told
            if well:
                first.setdefault(key, (now - running[key]) * 1000)
            if last:
                took = (now - running.pop(key)) * 1000
                if well or key in first:
                    done[key] = took
    return {
        "seconds": time.monotonic() - start,
        "done": len(done),
        "first_ms": list(first.values()),
        "ms": list(done.values()),
    }


def idle(request):
    took = []
    for _ in range(request["count"]):
        start = time.monotonic()
        sessions[0].is_dht_running()
        took.append((time.monotonic() - start) * 1000)
    return {"ms": took}


OPERATIONS = {f.__name__: f for f in (serve, join, testnet, put, get, idle)}


def main():
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer = OPERATIONS[request["op"]](request)
        except Exception as error:  # whatever it is, the reader wants it
            answer = {"error": "%s: %s" % (type(error).__name__, error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

"""Drives libtorrent's DHT by lines of JSON: one request on stdin, one answer on stdout.

Requests: {"op": "start", "nodes": N, "bootstrap": ["ip:port", ...]} starts N sessions that know each other and the
bootstrap nodes, on 127.0.0.1 or on each of "hosts"; then put_mutable, get_mutable, put_immutable, get_immutable,
announce, get_peers, sample.
"""

import hashlib
import json
import sys
import time
import warnings

import libtorrent as lt

warnings.simplefilter("ignore", DeprecationWarning)

ALERTS = lt.alert.category_t.dht_notification | lt.alert.category_t.dht_operation_notification
ALERTS |= lt.alert.category_t.error_notification | lt.alert.category_t.status_notification

SETTINGS = {
    "alert_mask": int(ALERTS),
    "enable_dht": True,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "dht_bootstrap_nodes": "",
    # Everybody shares one address here: the rules made for the internet would leave a network of one.
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_prefer_verified_node_ids": False,
    "dht_ignore_dark_internet": False,
    "dht_block_ratelimit": 100000,
    "dht_upload_rate_limit": 10000000,
}

sessions = []


def start(request):
    """Starts sessions and waits until each has as many neighbours as there are others to know."""
    hosts = request.get("hosts", ["127.0.0.1"])
    interfaces = ",".join("%s:0" % bracketed(host) for host in hosts)
    for _ in range(request["nodes"]):
        sessions.append(lt.session(dict(SETTINGS, listen_interfaces=interfaces)))
    own = [wait_for_ports(session, hosts) for session in sessions]
    known = [address for addresses in own for address in addresses]
    for address in request["bootstrap"]:
        host, port = address.rsplit(":", 1)
        known.append((host.strip("[]"), int(port)))
    for session, addresses in zip(sessions, own):
        for address in known:
            if address not in addresses:
                session.add_dht_node(address)
    # What libtorrent counts is the sum over the address families.
    wanted = min(len(known) - len(hosts), 8 * len(hosts))
    deadline = time.monotonic() + 30
    counts = []
    while time.monotonic() < deadline:
        counts = [session.status().dht_nodes for session in sessions]
        if min(counts) >= wanted:
            break
        time.sleep(0.05)
    return {"addresses": [shown(address) for addresses in own for address in addresses], "nodes": counts}


def wait_for_ports(session, hosts):
    """Where the DHT of each address family listens: a port of its own, in the order of the hosts."""
    ports = {}

    def accept(alert):
        if alert.socket_type == lt.socket_type_t.udp:
            ports[alert.address] = alert.port
        return True if len(ports) == len(hosts) else None

    wait_alert(session, lt.listen_succeeded_alert, accept, 10)
    return [(host, ports[host]) for host in hosts]


def bracketed(host):
    return "[%s]" % host if ":" in host else host


def shown(address):
    return "%s:%d" % (bracketed(address[0]), address[1])


def wait_alert(session, kind, accept, seconds):
    """The first alert of this kind that `accept` likes, or None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        session.wait_for_alert(100)
        for alert in session.pop_alerts():
            if isinstance(alert, kind):
                answer = accept(alert)
                if answer is not None:
                    return answer
    return None


def pick(request):
    session = sessions[request.get("session", 0)]
    session.pop_alerts()
    return session


def put_mutable(request):
    session = pick(request)
    expanded = bytearray(hashlib.sha512(bytes.fromhex(request["seed"])).digest())
    expanded[0] &= 248
    expanded[31] = (expanded[31] & 63) | 64
    key = bytes.fromhex(request["key"])
    salt = bytes.fromhex(request.get("salt", ""))
    value = bytes.fromhex(request["value"])
    session.dht_put_mutable_item(bytes(expanded), key, value, salt)
    stored = wait_alert(session, lt.dht_put_alert, lambda alert: alert.num_success, 40)
    return {"stored": stored} if stored is not None else {"error": "no answer to the put"}


def get_mutable(request):
    session = pick(request)
    salt = bytes.fromhex(request.get("salt", ""))
    session.dht_get_mutable_item(bytes.fromhex(request["key"]), salt)

    def accept(alert):
        if not alert.authoritative:
            return None
        value = alert.item["value"] if isinstance(alert.item, dict) else alert.item
        if not value:
            return {"error": "not found"}
        return {"seq": alert.seq, "value": as_bytes(value).hex()}

    return wait_alert(session, lt.dht_mutable_item_alert, accept, 40) or {"error": "not found"}


def as_bytes(value):
    return value if isinstance(value, bytes) else str(value).encode("latin-1", "surrogateescape")


def put_immutable(request):
    session = pick(request)
    target = session.dht_put_immutable_item(bytes.fromhex(request["value"]))
    stored = wait_alert(session, lt.dht_put_alert, lambda alert: alert.num_success, 40)
    return {"target": str(target), "stored": stored}


def get_immutable(request):
    session = pick(request)
    session.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(request["target"])))

    def accept(alert):
        value = alert.item["value"] if isinstance(alert.item, dict) else alert.item
        return {"value": as_bytes(value).hex()} if value else {"error": "not found"}

    return wait_alert(session, lt.dht_immutable_item_alert, accept, 40) or {"error": "not found"}


def announce(request):
    session = pick(request)
    info_hash = lt.sha1_hash(bytes.fromhex(request["info_hash"]))
    session.dht_announce(info_hash, request["port"], request.get("flags", 0))
    done = wait_alert(session, lt.dht_get_peers_reply_alert, lambda alert: True, 5)
    return {"announced": True, "answered": bool(done)}


def get_peers(request):
    session = pick(request)
    session.dht_get_peers(lt.sha1_hash(bytes.fromhex(request["info_hash"])))

    def accept(alert):
        peers = alert.peers()
        return {"peers": sorted(shown(peer) for peer in peers)} if peers else None

    return wait_alert(session, lt.dht_get_peers_reply_alert, accept, 20) or {"peers": []}


def sample(request):
    """Asks one node for the info hashes that it holds."""
    session = pick(request)
    host, port = request["node"].rsplit(":", 1)
    session.dht_sample_infohashes((host.strip("[]"), int(port)), lt.sha1_hash(bytes.fromhex(request["target"])))

    def accept(alert):
        return {
            "samples": sorted(str(sample) for sample in alert.samples),
            "total": alert.num_infohashes,
            "interval": alert.interval.total_seconds(),
            "nodes": alert.num_nodes,
        }

    return wait_alert(session, lt.dht_sample_infohashes_alert, accept, 20) or {"error": "no answer to the sample"}


OPERATIONS = {
    "start": start,
    "put_mutable": put_mutable,
    "get_mutable": get_mutable,
    "put_immutable": put_immutable,
    "get_immutable": get_immutable,
    "announce": announce,
    "get_peers": get_peers,
    "sample": sample,
}


def main():
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer = OPERATIONS[request["op"]](request)
        except Exception as error:  # whatever it is, the test wants to read it
            answer = {"error": "%s: %s" % (type(error).__name__, error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

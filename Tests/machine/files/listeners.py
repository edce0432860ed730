#!/usr/bin/python3
"""Services of a host that pods must not reach: TCP and UDP on every kind of address, and an abstract UNIX
socket. Prints READY, then a line `PORT PEER` for each TCP peer and each datagram. After SIGUSR1 it prints SETTLED, when all
peers until then have been printed. Runs until it is killed."""

import selectors
import signal
import socket
import sys

ABSTRACT = "\0podctl-test"
PLACES = [
    (socket.AF_INET, "127.0.0.1", 7001), (socket.AF_INET, "0.0.0.0", 7002),
    (socket.AF_INET6, "::1", 7003), (socket.AF_INET6, "::", 7004),
    (socket.AF_INET, "10.9.9.1", 7005), (socket.AF_INET, "169.254.169.254", 7006),
    (socket.AF_INET, "127.77.200.1", 7007), (socket.AF_INET, "127.76.0.1", 7008),
]


def tcp(listener, port):
    connection, peer = listener.accept()
    connection.sendall(b"reached\n")
    connection.close()
    print(port, peer[0], flush=True)


def udp(receiver, port):
    data, peer = receiver.recvfrom(2048)
    receiver.sendto(b"reached", peer)
    print(port, peer[0], flush=True)


def abstract(listener, _):
    connection, _ = listener.accept()
    connection.sendall(b"reached\n")
    connection.close()


selector = selectors.DefaultSelector()
for family, address, port in PLACES:
    for kind, answer in ((socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp)):
        each = socket.socket(family, kind)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        each.bind((address, port))
        if kind == socket.SOCK_STREAM:
            each.listen(64)
        selector.register(each, selectors.EVENT_READ, (answer, port))
named = socket.socket(socket.AF_UNIX)
named.bind(ABSTRACT)
named.listen(64)
selector.register(named, selectors.EVENT_READ, (abstract, 0))
asked, asking = socket.socketpair()
asked.setblocking(False)
selector.register(asked, selectors.EVENT_READ, (None, 0))
signal.signal(signal.SIGUSR1, lambda *_: asking.send(b"?"))
print("READY", flush=True)
questions = 0
while True:
    found = selector.select(0 if questions else None)
    if not found:
        print("SETTLED\n" * questions, end="", flush=True)
        questions = 0
    for key, _ in found:
        answer, port = key.data
        if answer is None:
            questions += len(asked.recv(64))
            continue
        try:
            answer(key.fileobj, port)
        except OSError as error:
            print(error, file=sys.stderr)

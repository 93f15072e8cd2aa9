# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""MTLS-05 packets, well-formed or not: octets from fields and back."""

import struct

REQUEST, SUCCESS, ECHEC, CLOSE, CONFIRMATION, DATA, NEW_MAX, ACK = range(1, 9)

WINDOW = 65536
MAX_PACKET = 16375


def vector(text):
    octets = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">H", len(octets)) + octets


def packet(kind, body, length=None):
    """Any type but DATA; |length| in the place of the right one."""
    if length is None:
        length = 3 + len(body)
    return struct.pack(">BH", kind, length) + body


def request(half, host, port=7, window=WINDOW, max_packet=MAX_PACKET,
            source="127.0.0.1", source_port=1, length=None):
    body = struct.pack(">HII", half, window, max_packet)
    body += vector(source) + struct.pack(">H", source_port)
    body += vector(host) + struct.pack(">H", port)
    return packet(REQUEST, body, length)


def success(half, receiver, window=WINDOW, max_packet=MAX_PACKET, length=None):
    return packet(SUCCESS, struct.pack(">HHII", half, receiver, window,
                                       max_packet), length)


def echec(half, text=b"", length=None):
    return packet(ECHEC, struct.pack(">H", half) + vector(text), length)


def close(channel, length=None):
    return packet(CLOSE, struct.pack(">I", channel), length)


def confirmation(channel, length=None):
    return packet(CONFIRMATION, struct.pack(">I", channel), length)


def data(channel, octets=b"", length=None):
    if length is None:
        length = len(octets)
    return struct.pack(">BII", DATA, length, channel) + octets


def new_max(channel, value, length=None):
    return packet(NEW_MAX, struct.pack(">II", channel, value), length)


def ack(channel, value, length=None):
    return packet(ACK, struct.pack(">II", channel, value), length)


class Packet:
    """A decoded packet; fields that its type does not have are None."""

    def __init__(self, kind):
        self.kind = kind
        self.channel = self.half = self.receiver = None
        self.window = self.max_packet = self.value = None
        self.text = self.octets = self.host = self.port = None

    def __repr__(self):
        return "<%s>" % ", ".join("%s=%r" % i for i in vars(self).items()
                                  if i[1] is not None)


def decode(buffer):
    """The first packet of |buffer| and its size; (None, 0): not all there."""
    if len(buffer) < 3:
        return None, 0
    p = Packet(buffer[0])
    if p.kind == DATA:
        if len(buffer) < 9:
            return None, 0
        length, p.channel = struct.unpack(">II", buffer[1:9])
        if len(buffer) < 9 + length:
            return None, 0
        p.octets = bytes(buffer[9:9 + length])
        return p, 9 + length
    size = struct.unpack(">H", buffer[1:3])[0]
    if len(buffer) < size:
        return None, 0
    body = bytes(buffer[3:size])
    if p.kind == REQUEST:
        p.half, p.window, p.max_packet, n = struct.unpack(">HIIH", body[:12])
        rest = body[12 + n + 2:]
        n = struct.unpack(">H", rest[:2])[0]
        p.host = rest[2:2 + n]
        p.port = struct.unpack(">H", rest[2 + n:4 + n])[0]
    elif p.kind == SUCCESS:
        p.half, p.receiver, p.window, p.max_packet = \
            struct.unpack(">HHII", body)
        p.channel = p.half << 16 | p.receiver
    elif p.kind == ECHEC:
        p.half = struct.unpack(">H", body[:2])[0]
        p.text = body[4:]
    elif p.kind in (CLOSE, CONFIRMATION):
        p.channel, = struct.unpack(">I", body)
    elif p.kind in (NEW_MAX, ACK):
        p.channel, p.value = struct.unpack(">II", body)
    return p, size

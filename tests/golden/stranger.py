# SPDX-License-Identifier: Apache-2.0
"""Reads every golden vector as docs/wire.md says, using none of our code.

usage: stranger.py FOLDER
"""

import hashlib
import struct
import sys
from pathlib import Path

MASK = (1 << 64) - 1


class Newer(Exception):
    pass


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def done(self):
        return self.at == len(self.data)

    def bytes(self, n):
        assert self.at + n <= len(self.data), "cut short"
        self.at += n
        return self.data[self.at - n:self.at]

    def rest(self):
        return self.bytes(len(self.data) - self.at)

    def varint(self):
        out = 0
        for shift in range(0, 70, 7):
            byte = self.bytes(1)[0]
            out |= (byte & 127) << shift
            if byte < 128:
                assert out <= MASK
                return out
        raise AssertionError("a varint of more than 10 bytes")

    def prefixed(self):
        return self.bytes(self.varint())

    def hash(self):
        return self.bytes(16).hex()

    def stream(self):
        return f"{self.hash()}/{self.varint()}/{self.varint()}"


def fields(data):
    """Protobuf: number -> values, in order."""
    reader, out = Reader(data), {}
    while not reader.done():
        tag = reader.varint()
        kind = tag & 7
        value = (reader.varint() if kind == 0 else reader.bytes(8) if kind == 1 else
                 reader.prefixed() if kind == 2 else reader.bytes(4))
        out.setdefault(tag >> 3, []).append(value)
    return out


class Message:
    """Fields with proto3's defaults."""

    def __init__(self, data):
        self.values = fields(data)

    def number(self, field):
        return self.values.get(field, [0])[-1]

    def fixed64(self, field):
        return struct.unpack("<Q", self.values.get(field, [bytes(8)])[-1])[0]

    def bytes(self, field):
        return self.values.get(field, [b""])[-1]

    def all(self, field):
        return self.values.get(field, [])


def unzigzag(n):
    return (n >> 1) ^ -(n & 1)


def signed(n):
    n &= MASK
    return n - (1 << 64) if n >> 63 else n


def hash_of(*parts):
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(varint(len(part)) + part)
    return digest.hexdigest()


def varint(n):
    out = b""
    while n >= 128:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


class Numbers:
    """A number list."""

    def __init__(self, data):
        self.reader, self.zeros = Reader(data), not data
        self.run, self.literals, self.value = 0, 0, 0

    def next(self):
        if self.zeros:
            return 0
        if self.run:
            self.run -= 1
            return self.value
        if self.literals:
            self.literals -= 1
            return self.reader.varint()
        head = self.reader.varint()
        self.value = self.reader.varint()
        if head & 1:
            self.run = head >> 1
        else:
            self.literals = head >> 1
        return self.value

    def done(self):
        return self.reader.done() and not self.run and not self.literals


def quoted(data):
    return '"' + "".join(chr(c) if 32 <= c < 127 and chr(c) not in '"\\' else f"\\x{c:02x}"
                         for c in data) + '"'


def table(data, *kinds):
    reader = Reader(data)
    while not reader.done():
        yield " ".join(str(getattr(reader, kind)()) for kind in kinds)


def tips(name, data):
    return [f"  {name} {tip}" for tip in table(data, "stream", "varint", "hash")]


def parts(data):
    reader = Reader(data)
    while not reader.done():
        yield f"  part {reader.hash()}"
        for _ in range(reader.varint()):
            begin = reader.varint()
            yield f"    missing {begin} {begin + reader.varint()}"


def members(data):
    reader = Reader(data)
    while not reader.done():
        yield f"  member {reader.hash()} {reader.varint()} {reader.varint()}"
        stream = -1
        for _ in range(reader.varint()):
            stream += reader.varint() + 1
            yield f"    lacks {stream} {reader.varint()}"


def check_major(data):
    first = Reader(data)
    assert first.varint() == 1 << 3, "the version comes first"
    major = first.varint()
    if major > 1:
        raise Newer(major)
    assert major == 1


def message_text(data):
    check_major(data)
    m = Message(data)
    kind = next(k for k in range(4, 12) if m.all(k))
    b = Message(m.bytes(kind))
    out = ["message", f"  site {m.bytes(2).hex()}", f"  session {m.fixed64(3)}"]
    if kind == 4:
        out += ["  digest", f"  have {b.bytes(1).hex()}"]
        if b.fixed64(2):
            out.append(f"  list {b.fixed64(2)} {b.number(3)}")
    elif kind == 5:
        out += ["  have", f"  number {b.number(1)}", *tips("tip", b.bytes(2)),
                f"  have {b.bytes(3).hex()}", f"  reply {b.number(4)}", f"  more {b.number(5)}",
                f"  push {b.number(6)}",
                *(f"  stream {stream}" for stream in table(b.bytes(7), "stream", "varint")),
                *members(b.bytes(8))]
    elif kind == 6:
        needs = table(b.bytes(2), "stream", "varint", "varint", "varint")
        out += ["  want", f"  to {b.fixed64(1)}", *(f"  need {need}" for need in needs),
                *parts(b.bytes(3)), *tips("tip", b.bytes(4)), f"  graft {b.number(5)}"]
    elif kind == 7:
        site = (b.bytes(3) or m.bytes(2)).hex()
        out += ["  frag", f"  unit {b.bytes(1).hex()}", f"  kind {b.number(2)}",
                f"  stream {site}/{b.number(4)}/{b.number(5)}", f"  first {b.number(6)}",
                f"  last {b.number(6) + b.number(7)}", f"  size {b.number(8)}",
                f"  offset {b.number(9)}", f"  more {b.number(10)}",
                f"  bytes {quoted(m.bytes(15))}"]
    elif kind == 8:
        out += ["  stop", f"  unit {b.bytes(1).hex()}"]
    elif kind == 9:
        out += ["  probe", f"  stream {b.bytes(1).hex()}/{b.number(2)}/{b.number(3)}"]
        out += [f"  point {point}" for point in table(b.bytes(4), "varint", "hash")]
    elif kind == 11:
        sums = b.bytes(5)
        assert sums and len(sums) % 4 == 0
        out += ["  compare", f"  to {b.fixed64(1)}", f"  list {b.fixed64(2)} {b.number(3)}",
                f"  from {b.number(4)}"]
        out += [f"  sum {int.from_bytes(sums[i:i + 4], 'little')}" for i in range(0, len(sums), 4)]
        out += parts(b.bytes(6))
    else:
        out += ["  bye", f"  reason {quoted(b.bytes(1))}"]
    return out


class Lives:
    def __init__(self, block, origins):
        self.reader = Reader(block.bytes(7))
        self.times, self.counters = Numbers(block.bytes(8)), Numbers(block.bytes(9))
        self.births, self.dots = [0] * origins, [0] * origins
        self.carrier, self.ms, self.counter, self.repeats = (0, 0), 0, 0, 0
        self.life = {"births": [], "dead": [], "killers": [], "writes": []}

    def mark(self, last):
        origin = self.reader.varint()
        last[origin] = (last[origin] + unzigzag(self.reader.varint())) & MASK
        return origin, last[origin]

    def marks(self, last):
        return [self.mark(last) for _ in range(self.reader.varint())]

    def write(self, flags, births):
        carrier = flags & 3
        if carrier == 0:
            self.carrier = self.mark(self.dots)
        elif carrier == 2:
            self.carrier = births[0]
        author = self.carrier if flags & 4 else self.mark(self.dots)
        targets = births if flags & 8 else self.marks(self.births)
        return self.carrier, author, targets, bool(flags & 16)

    def next(self):
        if self.repeats:
            self.repeats -= 1
        else:
            flags, before = self.reader.varint(), self.life
            self.repeats = self.reader.varint() if flags & 4 else 0
            births = self.marks_of(flags >> 3, self.births, before["births"])
            dead = self.marks_of(flags >> 5, self.births, before["dead"])
            killers = self.marks_of(flags >> 7, self.dots, before["killers"])
            code = flags & 3
            if code == 3:
                writes = [self.write(13, births)]
            else:
                count = self.reader.varint() if code == 2 else code
                writes = [self.write(self.reader.varint(), births) for _ in range(count)]
            self.life = {"births": births, "dead": dead, "killers": killers, "writes": writes}
        return self.life, [(0, 0) if w[3] else self.time() for w in self.life["writes"]]

    def marks_of(self, code, last, before):
        code &= 3
        return [] if code == 0 else [self.mark(last)] if code == 1 else (
            self.marks(last) if code == 2 else before)

    def time(self):
        ms = self.ms + unzigzag(self.times.next())
        self.counter = (self.counter if ms == self.ms else 0) + unzigzag(self.counters.next())
        self.ms = ms
        return self.ms, self.counter

    def done(self):
        return self.reader.done() and self.times.done() and self.counters.done() and \
            not self.repeats


def column_values(data, count):
    """The values of a column as text."""
    reader = Reader(data)
    mode = reader.bytes(1)[0]
    mixed = mode & 7 == 7
    section = reader.prefixed if mixed else reader.rest
    kinds = [mode & 7] * count
    if mixed:
        numbers = Numbers(reader.prefixed())
        kinds = [numbers.next() for _ in range(count)]
        assert numbers.done()
    integers, reals, texts = [], [], []
    if mixed or mode & 7 == 1:
        numbers, last = Numbers(section()), 0
        for _ in range(kinds.count(1)):
            n = unzigzag(numbers.next())
            last = signed(last + n) if mode & 8 else n
            integers.append(last)
        assert numbers.done()
    if mixed or mode & 7 == 2:
        packed = section()
        if mode >> 4 == 0:
            reals = [struct.unpack_from("<d", packed, i)[0] for i in range(0, len(packed), 8)]
        else:
            numbers, last = Numbers(packed), 0
            for _ in range(kinds.count(2)):
                last = signed(last + unzigzag(numbers.next()))
                reals.append(float(last) / 10.0 ** ((mode >> 4) - 1))
            assert numbers.done()
    if mixed or mode & 7 > 2:
        count = sum(kinds.count(kind) for kind in (3, 4, 6))
        texts = texts_of(reader, count, not mixed and mode & 8)
    assert reader.done()
    integers, reals, texts = iter(integers), iter(reals), iter(texts)
    for kind in kinds:
        yield ("null" if kind == 0 else f"integer {next(integers)}" if kind == 1 else
               f"real {next(reals):.17g}" if kind == 2 else part_text(next(texts)) if kind == 6 else
               f"{'text' if kind == 3 else 'blob'} {quoted(next(texts))}")


def part_text(data):
    reader = Reader(data)
    kind, name, type_ = reader.bytes(1)[0], reader.prefixed(), reader.bytes(1)[0]
    if type_ in (1, 2):
        bits = unzigzag(reader.varint())
        real = struct.unpack("<d", struct.pack("<q", bits))[0]
        value = f"integer {bits}" if type_ == 1 else f"real {real:.17g}"
    else:
        value = {0: "null", 3: "text ", 4: "blob "}[type_]
        value += quoted(reader.rest()) if type_ else ""
    assert reader.done()
    return f"part {kind} {quoted(name)} {value}"


def texts_of(reader, count, dictionary):
    entries = reader.varint() if dictionary else count
    sizes = Numbers(reader.prefixed())
    indexes = Numbers(reader.prefixed()) if dictionary else None
    texts = [reader.bytes(sizes.next()) for _ in range(entries)]
    assert sizes.done()
    return [texts[indexes.next()] for _ in range(count)] if dictionary else texts


def patterns_of(data):
    reader = Reader(data)
    count, numbers, out = reader.varint(), Numbers(reader.rest()), []
    for _ in range(count):
        head, column, cells = numbers.next(), 0, []
        for _ in range(head >> 1):
            column += numbers.next()
            cells.append([column, 0])
        for cell in cells if head & 1 else []:
            cell[1] = numbers.next()
        out.append(cells)
    assert numbers.done()
    return out


def identities_of(block, count):
    shared, rest = Numbers(block.bytes(4)), Numbers(block.bytes(5))
    reader, last = Reader(block.bytes(6)), b""
    for _ in range(count):
        last = last[:shared.next()] + reader.bytes(rest.next())
        yield last
    assert shared.done() and rest.done() and reader.done()


def joined(marks):
    return " ".join(f"{origin}:{seq}" for origin, seq in marks)


def block_text(data):
    block = Message(data)
    origins = list(table(block.bytes(3), "stream"))
    yield f"block {block.bytes(1).hex()}"
    yield from (f"  origin {i} {origin}" for i, origin in enumerate(origins, 1))
    rows, patterns = block.number(2), patterns_of(block.bytes(10))
    numbers = Numbers(block.bytes(11))
    cells_of = [patterns[numbers.next()] for _ in range(rows)]
    assert numbers.done()
    columns = {}
    for packed in block.all(12):
        reader = Reader(packed)
        column = reader.varint()
        count = sum(cell[0] == column for cells in cells_of for cell in cells)
        columns[column] = column_values(reader.rest(), count)
    lives = Lives(block, len(origins) + 1)
    for identity, cells in zip(identities_of(block, rows), cells_of):
        life, times = lives.next()
        yield f"  row {quoted(identity)}"
        for name in ("births", "dead", "killers"):
            if life[name]:
                yield f"    {name} {joined(life[name])}"
        for (carrier, author, targets, _), (ms, counter) in zip(life["writes"], times):
            yield f"    write carrier {joined([carrier])} time {ms} {counter} by {joined([author])}"
            if targets:
                yield f"      targets {joined(targets)}"
        for column, write in cells:
            value = next(columns[column]) if column in columns else "null"
            yield f"    cell {column} write {write} {value}"
    assert lives.done()
    assert all(next(left, None) is None for left in columns.values())


def schema_text(data):
    m = Message(data)
    key = Reader(m.bytes(3))
    content = varint(len(m.all(2)))
    content += b"".join(varint(len(name)) + name for name in m.all(2)) + m.bytes(3)
    policies = [Reader(packed) for packed in m.all(5)]
    policies = [(p.varint(), p.varint(), p.varint(), p.rest()) for p in policies]
    if policies:
        content += varint(len(m.all(2)))
    for *numbers, name in policies:
        content += b"".join(varint(n) for n in numbers) + varint(len(name)) + name
    yield f"schema {hash_of(b'mycelial schema 1', m.bytes(1), content)}"
    yield f"  table {quoted(m.bytes(1))}"
    yield from (f"  column {quoted(name)}" for name in m.all(2))
    while not key.done():
        yield f"  key {key.varint()}"
    yield from (f"  formerly {quoted(name)}" for name in m.all(4))
    yield from (f"  policy {c} {at} {seen} {quoted(name)}" for c, at, seen, name in policies)


def listed_text(data):
    m = Message(data)
    yield f"listed {quoted(m.bytes(1))} {quoted(m.bytes(2))} {quoted(m.bytes(3))}"
    yield f"  {m.bytes(4).decode()} {quoted(m.bytes(5))} {quoted(m.bytes(6))}"
    yield f"  rule {quoted(m.bytes(7))} at {m.number(8)}"


def unit_text(data):
    reader = Reader(data)
    assert reader.bytes(1) == b"\x0a"
    head = reader.prefixed()
    check_major(head)
    assert reader.bytes(1) == b"\x12"
    body = reader.prefixed()
    assert reader.done()
    h = Message(head)
    if h.number(16):
        raise Newer(h.number(16))
    assert h.number(15) == len(body)
    out = [f"unit {hash_of(b'mycelial unit 1', head, body)}", f"  kind {h.number(2)}",
           f"  stream {h.bytes(3).hex()}/{h.number(4)}/{h.number(5)}", f"  first {h.number(6)}",
           f"  last {h.number(6) + h.number(7)}", f"  prev {(h.bytes(8) or bytes(16)).hex()}",
           *(f"  chain {chain}" for chain in table(h.bytes(9), "hash")), *tips("dep", h.bytes(10)),
           *tips("base", h.bytes(11)), *tips("have", h.bytes(12)),
           *(f"  floor {floor}" for floor in table(h.bytes(13), "stream", "varint")),
           f"  full {h.number(14)}", f"  body_bytes {h.number(15)}"]
    schemas, lists, blocks, reader = [], [], [], Reader(body)
    while not reader.done():
        item = Message(reader.prefixed())
        if item.all(1):
            schemas += schema_text(item.bytes(1))
        elif item.all(3):
            lists += listed_text(item.bytes(3))
        else:
            blocks += block_text(item.bytes(2))
    return out + schemas + lists + blocks


def main():
    failed = count = 0
    for path in sorted(Path(sys.argv[1]).glob("*.txt")):
        text, hexadecimal = path.read_text(encoding="ascii").split("hex\n")
        try:
            read = unit_text if path.name.startswith("unit") else message_text
            found = read(bytes.fromhex(hexadecimal))
        except Newer:
            found = ["error version"]
        count += 1
        if found != text.splitlines():
            failed += 1
            print(f"{path.name}: read as\n" + "\n".join(found))
    print(f"{count} vectors, {failed} read otherwise")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())

// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/text.hpp"

#include <cstdio>
#include <initializer_list>

#include "codec/codec.hpp"
#include "core/policy/part.hpp"
#include "tests/codec/read_body.hpp"

namespace mycelial::golden {

namespace {

using core::Value;

std::string of(std::uint64_t n) {
  return std::to_string(n);
}
std::string of(const std::string& text) {
  return text;
}
std::string of(const char* text) {
  return text;
}
std::string of(const Hash& hash) {
  return hash.hex();
}
std::string of(const core::Stream& stream) {
  return stream.site.hex() + "/" + of(stream.scope) + "/" + of(stream.priority_class);
}
std::string of(const core::Mark& mark) {
  return of(mark.origin) + ":" + of(mark.seq);
}

/// Printable ASCII as it is, everything else as \xNN.
std::string quoted(ByteView bytes) {
  std::string out = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      out += "\\x" + to_hex({&c, 1});
    }
  }
  return out + "\"";
}

class Text {
 public:
  template <class... Words>
  void line(int indent, const Words&... words) {
    std::string text(static_cast<std::size_t>(indent) * 2, ' ');
    bool first = true;
    ((text += (first ? "" : " ") + of(words), first = false), ...);
    out_ += text + "\n";
  }
  void tips(const char* name, const std::vector<std::pair<core::Stream, core::Tip>>& tips) {
    for (const auto& [stream, tip] : tips) line(1, name, stream, tip.seq, tip.hash);
  }
  void marks(const char* name, const core::Marks& marks) {
    if (!marks.empty()) line(2, name, joined(marks));
  }
  static std::string joined(const core::Marks& marks) {
    std::string out;
    for (const auto& mark : marks) out += (out.empty() ? "" : " ") + of(mark);
    return out;
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string of(const Value& value) {
  switch (value.type) {
    case Value::Type::integer:
      return "integer " + std::to_string(value.integer);
    case Value::Type::real: {
      char digits[32];
      std::snprintf(digits, sizeof digits, "%.17g", value.real());
      return std::string("real ") + digits;
    }
    case Value::Type::text:
      return "text " + quoted(value.bytes);
    case Value::Type::blob:
      return "blob " + quoted(value.bytes);
    case Value::Type::part: {
      const auto part = core::get_part(value.bytes);
      return "part " + of(static_cast<std::uint64_t>(part->kind)) + " " + quoted(part->name) + " " +
             of(part->value);
    }
    default:
      return "null";
  }
}

struct Body {
  Text& t;

  void parts(const std::vector<core::WantMessage::Part>& parts) const {
    for (const auto& part : parts) {
      t.line(1, "part", part.unit);
      for (const auto& range : part.missing) t.line(2, "missing", range.begin, range.end);
    }
  }
  void operator()(const core::DigestMessage& m) const {
    t.line(1, "digest");
    t.line(1, "have", m.have);
    if (m.list.sum != 0) t.line(1, "list", m.list.sum, m.list.since_ms);
  }
  void operator()(const core::HaveMessage& m) const {
    t.line(1, "have");
    t.line(1, "number", m.number);
    t.tips("tip", m.tips);
    t.line(1, "have", m.have);
    t.line(1, "reply", std::uint64_t{m.reply});
    t.line(1, "more", std::uint64_t{!m.last_part});
    t.line(1, "push", std::uint64_t{m.push});
    for (const auto& [stream, seq] : m.streams) t.line(1, "stream", stream, seq);
    for (const auto& member : m.members) {
      t.line(1, "member", member.site.hex(), member.beat, member.age_s);
      for (const auto& [stream, seq] : member.lacks) t.line(2, "lacks", std::uint64_t{stream}, seq);
    }
  }
  void operator()(const core::WantMessage& m) const {
    t.line(1, "want");
    t.line(1, "to", m.to);
    for (const auto& need : m.needs) {
      t.line(1, "need", need.stream, need.first, need.last, need.attempt);
    }
    parts(m.parts);
    t.tips("tip", m.tips);
    t.line(1, "graft", std::uint64_t{m.graft});
  }
  void operator()(const core::FragMessage& m) const {
    t.line(1, "frag");
    t.line(1, "unit", m.unit.id);
    t.line(1, "kind", static_cast<std::uint64_t>(m.unit.kind));
    t.line(1, "stream", m.unit.stream);
    t.line(1, "first", m.unit.first);
    t.line(1, "last", m.unit.last);
    t.line(1, "size", m.unit.size);
    t.line(1, "offset", m.offset);
    t.line(1, "more", std::uint64_t{m.more});
    t.line(1, "bytes", quoted(m.bytes));
  }
  void operator()(const core::StopMessage& m) const {
    t.line(1, "stop");
    t.line(1, "unit", m.unit);
  }
  void operator()(const core::ProbeMessage& m) const {
    t.line(1, "probe");
    t.line(1, "stream", m.stream);
    for (const auto& point : m.points) t.line(1, "point", point.seq, point.hash);
  }
  void operator()(const core::CompareMessage& m) const {
    t.line(1, "compare");
    t.line(1, "to", m.to);
    t.line(1, "list", m.list.sum, m.list.since_ms);
    t.line(1, "from", m.since_ms);
    for (const auto sum : m.sums) t.line(1, "sum", std::uint64_t{sum});
    parts(m.parts);
  }
  void operator()(const core::ByeMessage& m) const {
    t.line(1, "bye");
    t.line(1, "reason", quoted(m.reason));
  }
};

}  // namespace

std::string text_of(const core::Message& message) {
  Text t;
  t.line(0, "message");
  t.line(1, "site", message.site.hex());
  t.line(1, "session", message.session);
  std::visit(Body{t}, message.body);
  return t.take();
}

std::string text_of(const core::Header& header, const Hash& id) {
  Text t;
  t.line(0, "unit", id);
  t.line(1, "kind", static_cast<std::uint64_t>(header.kind));
  t.line(1, "stream", header.stream);
  t.line(1, "first", header.first);
  t.line(1, "last", header.last);
  t.line(1, "prev", header.prev);
  for (const auto& hash : header.chain) t.line(1, "chain", hash);
  t.tips("dep", header.deps);
  t.tips("base", header.base);
  t.tips("have", header.have);
  for (const auto& [stream, seq] : header.floor) t.line(1, "floor", stream, seq);
  t.line(1, "full", std::uint64_t{header.full});
  t.line(1, "body_bytes", header.body_bytes);
  return t.take();
}

std::string text_of(const core::Schema& schema) {
  Text t;
  t.line(0, "schema", schema.hash());
  t.line(1, "table", quoted(schema.table));
  for (const auto& column : schema.columns) t.line(1, "column", quoted(column));
  for (const auto column : schema.key) t.line(1, "key", std::uint64_t{column});
  for (const auto& name : schema.formerly) t.line(1, "formerly", quoted(name));
  for (const auto& p : schema.policies) {
    t.line(1, "policy", std::uint64_t{p.column}, p.at_ms, p.seen_ms, quoted(p.name));
  }
  return t.take();
}

std::string text_of(const core::Overruled& listed) {
  Text t;
  t.line(0, "listed", quoted(listed.table), quoted(listed.identity), quoted(listed.column));
  t.line(1, listed.kind, quoted(listed.value), quoted(listed.winner));
  t.line(1, "rule", quoted(listed.rule), "at", listed.at_ms);
  return t.take();
}

std::string text_of(const Hash& schema, const std::vector<core::Stream>& origins,
                    const std::vector<core::RowPiece>& rows) {
  Text t;
  t.line(0, "block", schema);
  for (std::size_t i = 1; i < origins.size(); ++i) t.line(1, "origin", i, origins[i]);
  for (const auto& [identity, row] : rows) {
    t.line(1, "row", quoted(identity));
    t.marks("births", row.births);
    t.marks("dead", row.dead);
    t.marks("killers", row.killers);
    for (const auto& write : row.writes) {
      const core::Mark author{write.stamp.origin, write.stamp.seq};
      t.line(2, "write", "carrier", write.carrier, "time", core::hlc_ms(write.stamp.time),
             write.stamp.time & 0xffff, "by", author);
      if (!write.targets.empty()) t.line(3, "targets", Text::joined(write.targets));
    }
    for (const auto& cell : row.cells) {
      t.line(2, "cell", std::uint64_t{cell.column}, "write", std::uint64_t{cell.write},
             of(cell.value));
    }
  }
  return t.take();
}

std::string decoded_text(ByteView bytes, bool is_unit, const core::Schema& known) {
  const auto error = [](const Status& status) { return "error " + status.to_string() + "\n"; };
  if (!is_unit) {
    const auto message = codec::decode_message(bytes);
    return message.ok() ? text_of(*message) : error(message.status());
  }
  const auto unit = codec::decode_unit(bytes);
  if (!unit.ok()) return error(unit.status());
  const auto body = testing::read_body(unit->body, known);
  if (!body.ok()) return error(body.status());
  std::string out = text_of(unit->header, unit->id);
  for (const auto& schema : body->schemas) out += text_of(schema);
  for (const auto& listed : body->overruled) out += text_of(listed);
  for (const auto& block : body->blocks) out += text_of(block.schema, block.origins, block.rows);
  return out;
}

}  // namespace mycelial::golden

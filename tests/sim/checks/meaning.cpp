// SPDX-License-Identifier: Apache-2.0
// What a bag of change sets means, said a second time and as simply as can be: from the bag alone,
// without order of arrival, bookkeeping, pruning or cuts. The files must show just that. On the
// way: no stamp has two values.
#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "codec/codec.hpp"
#include "storage/sqlite.hpp"
#include "tests/sim/checks/checks.hpp"

namespace mycelial::sim {
namespace {

using core::Stream;

/// A dot, or "up to here"; streams in the order of their sites' bytes.
using Point = std::pair<Stream, std::uint64_t>;
using Time = std::tuple<std::uint64_t, Stream, std::uint64_t>;  // a stamp

struct Version {
  Time stamp;
  Point carrier;
  std::vector<Point> targets;
  std::string value;
};

struct Meaning {
  std::set<Point> births;
  std::map<Stream, std::uint64_t> dead;
  std::map<std::string, std::vector<Version>> columns;

  bool alive(const Point& birth) const {
    const auto at = dead.find(birth.first);
    return at == dead.end() || birth.second > at->second;
  }
  bool alive() const {
    return std::any_of(births.begin(), births.end(), [&](const Point& b) { return alive(b); });
  }
  /// The greatest of the versions that live.
  const Version* winner(const std::string& column) const {
    const Version* best = nullptr;
    const auto found = columns.find(column);
    if (found == columns.end()) return nullptr;
    for (const Version& v : found->second) {
      if (std::none_of(v.targets.begin(), v.targets.end(),
                       [&](const Point& t) { return alive(t); }))
        continue;
      if (!best || std::tie(best->stamp, best->carrier) < std::tie(v.stamp, v.carrier)) best = &v;
    }
    return best;
  }
};

using Rows = std::map<core::Identity, Meaning>;

class Bag {
 public:
  explicit Bag(Context& c) : c_(c) {}

  void add_from(Node& node) {
    Connection& db = node.client().reader();
    for (auto& [hash, data] : db.blobs("SELECT lower(hex(hash)), data FROM mycelial_set")) {
      if (data.empty()) {
        std::ifstream in(node.path() + "-mycelial-units/" + hash, std::ios::binary);
        data.assign(std::istreambuf_iterator<char>(in), {});
      }
      const auto unit = codec::decode_unit(data);
      if (unit.ok()) add(unit->header, unit->id, data);
    }
  }
  bool holds(const Stream& stream, std::uint64_t last) const {
    for (std::uint64_t seq = 1; seq <= last; ++seq) {
      if (!sets_.contains({stream, seq})) return false;
    }
    return true;
  }
  /// Rows of each table.
  std::map<std::string, Rows> read() {
    std::map<std::string, Rows> out;
    for (const auto& [dot, bytes] : sets_) {
      const auto unit = codec::decode_unit(bytes);
      codec::BodyReader reader(unit->body, [&](const Hash& hash) {
        const auto known = schemas_.find(hash);
        return known == schemas_.end() ? nullptr : &known->second;
      });
      for (auto item = reader.next(); item.ok() && *item; item = reader.next()) {
        if (const auto& schema = (*item)->schema) schemas_[schema->hash()] = *schema;
        if (auto& block = (*item)->block) add(*block, out);
      }
    }
    return out;
  }

 private:
  void add(const core::Header& header, const Hash& id, const std::string& bytes) {
    const Point dot{header.stream, header.last};
    const auto [known, fresh] = ids_.emplace(dot, id);
    if (known->second != id) c_.fail("two sets have one dot: " + header.stream.site.hex());
    if (fresh) sets_[dot] = bytes;
  }
  void add(codec::BlockReader& block, std::map<std::string, Rows>& out) {
    const core::Schema& schema = schemas_.at(block.schema());
    const auto point = [&](const core::Mark& m) {
      return Point{m.origin == 0 ? Stream() : block.origins().at(m.origin), m.seq};
    };
    for (core::RowPiece piece; block.next(piece);) {
      Meaning& row = out[schema.table][piece.identity];
      for (const auto& m : piece.row.births) row.births.insert(point(m));
      for (const auto& m : piece.row.dead) {
        auto& at = row.dead[point(m).first];
        at = std::max(at, m.seq);
      }
      for (const core::Cell& cell : piece.row.cells) {
        const core::Write& w = piece.row.writes.at(cell.write);
        const Point by = point({w.stamp.origin, w.stamp.seq});
        Version v{{w.stamp.time, by.first, by.second},
                  point(w.carrier),
                  {},
                  storage::to_literal(cell.value)};
        for (const auto& t : w.targets) v.targets.push_back(point(t));
        const std::string& column = schema.columns.at(cell.column);
        if (!table_named(schema.table).merges)
          one_value(schema.table + piece.identity + "." + column, v);
        row.columns[column].push_back(std::move(v));
      }
    }
  }
  void one_value(const std::string& cell, const Version& v) {
    if (std::get<0>(v.stamp) == 0) return;  // found when the table was tracked
    const auto [at, fresh] = values_.emplace(std::pair(cell, v.stamp), v.value);
    if (!fresh && at->second != v.value) {
      c_.fail(fmt::format("one stamp, two values: {} and {}", at->second, v.value));
    }
  }

  Context& c_;
  std::map<Point, std::string> sets_;
  std::map<Point, Hash> ids_;
  std::map<Hash, core::Schema> schemas_;
  std::map<std::pair<std::string, Time>, std::string> values_;
};

/// Rows as a file must show them: in one total order, each unless a higher one shown has one of its
/// unique values.
std::vector<std::string> shown(const Table& table, const Rows& rows) {
  std::vector<std::vector<std::string>> uniques;
  if (!table.key.empty()) uniques.push_back(table.key);
  if (!table.unique.empty()) uniques.push_back({table.unique});
  std::map<std::pair<Time, core::Identity>, const Meaning*> order;
  for (const auto& [identity, row] : rows) {
    if (!row.alive()) continue;
    Time claim{};
    for (const auto& columns : uniques) {
      for (const auto& column : columns) {
        const Version* v = row.winner(column);
        if (v) claim = std::max(claim, v->stamp);
      }
    }
    order[{claim, identity}] = &row;
  }
  std::set<std::string> taken;
  std::vector<std::string> out;
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    const auto value = [&](const std::string& column) {
      const Version* v = it->second->winner(column);
      return v ? v->value : std::string("NULL");
    };
    std::vector<std::string> claims;
    for (std::size_t i = 0; i < uniques.size(); ++i) {
      std::string claim = std::to_string(i);
      bool null = false;
      for (const auto& column : uniques[i]) {
        claim += " " + value(column);
        null |= value(column) == "NULL";
      }
      if (!null) claims.push_back(claim);
    }
    if (std::any_of(claims.begin(), claims.end(), [&](auto& c) { return taken.contains(c); }))
      continue;
    taken.insert(claims.begin(), claims.end());
    std::string text;
    for (const auto& column : table.columns) text += (text.empty() ? "" : ", ") + value(column);
    out.push_back(std::move(text));
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

void check_meaning(Context& c, const Nodes& nodes) {
  Bag bag(c);
  for (const auto& node : nodes) bag.add_from(*node);
  for (const auto& [site, seq] : nodes[0]->client().reader().blobs(
           "SELECT site, CAST(seq AS TEXT) FROM mycelial_stream WHERE id > 0")) {
    const Stream stream{core::Site::from(site), 0, 0};
    if (!bag.holds(stream, std::stoull(seq))) return;  // it has left every tail
  }
  const auto meaning = bag.read();
  for (const Table& table : tables()) {
    if (table.merges) continue;
    int code = 0;
    const auto is = contents(nodes[0]->client().reader().image(table, &code));
    const auto rows = meaning.find(table.name);
    const auto must =
        rows == meaning.end() ? std::vector<std::string>() : shown(table, rows->second);
    if (is == must) continue;
    c.fail(fmt::format("{} is not what the change sets mean: {}", table.name,
                       first_difference(is, must)));
  }
}

}  // namespace mycelial::sim

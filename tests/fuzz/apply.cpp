// SPDX-License-Identifier: Apache-2.0
// Applying: any bytes, staged as a unit. Either they are refused with a typed error and the
// database is as it was, or they are applied and its bookkeeping is sound.
//
// The first byte says how the rest is framed: so that mutations reach the rows, most inputs are the
// body of a unit with a header that fits.
#include "codec/codec.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/fuzz/victim.hpp"

namespace mycelial::fuzz {
namespace {

enum Framing : std::uint8_t { as_set, as_full_cut, as_cut, as_fold, as_unit, framings };

core::Stream stranger() {
  core::Stream out;
  out.site.bytes.fill(0x5a);
  return out;
}

/// The unit that an input stands for.
Bytes unit_of(Framing framing, ByteView rest, const core::Have& have) {
  if (framing == as_unit) return Bytes(rest);
  core::Header header;
  header.stream = stranger();
  if (framing == as_set || framing == as_fold) header.first = header.last = 1;
  if (framing == as_fold) {
    header.kind = core::UnitKind::fold;
    header.last = 2;
    header.chain.resize(2);
  }
  if (framing == as_cut || framing == as_full_cut) {
    header.kind = core::UnitKind::cut;
    header.full = framing == as_full_cut;
    for (const auto& entry : have) header.have.emplace_back(entry);
    header.have.emplace_back(stranger(), core::Tip{5, Hash::from("tip")});
  }
  return codec::encode_unit(header, rest);
}

/// Kept from input to input, for as long as nothing is applied.
class Table {
 public:
  Victim& victim() {
    if (!victim_) {
      world_ = World();  // The same bytes meet the same victim.
      victim_ = std::make_unique<Victim>(world_);
      victim_->sql(kRows);
      const auto sealed = victim_->store().seal();
      expect(sealed.ok(), "a seal", sealed.status().to_string());
      before_ = state();
    }
    return *victim_;
  }
  /// Rows, digest and what is held.
  std::string state() {
    auto& store = victim_->store();
    const auto digest = store.digest();
    expect(digest.ok(), "a digest", digest.status().to_string());
    return victim_->dump() + *digest + core::have_digest(store.have()).hex();
  }
  const std::string& before() const { return before_; }
  void clear() { victim_.reset(); }

 private:
  World world_;
  std::unique_ptr<Victim> victim_;
  std::string before_;
};

void run(ByteView in) {
  static auto* const table = new Table;
  Feed feed(in);
  const auto framing = static_cast<Framing>(feed.below(framings));
  storage::Store& store = table->victim().store();
  const Bytes bytes = unit_of(framing, feed.rest(), store.have());
  const auto view = codec::decode_unit(bytes);
  core::UnitRef ref;
  ref.id = view.ok() ? view->id : hash_parts({bytes});
  ref.stream = stranger();
  ref.first = ref.last = 1;
  ref.size = bytes.size();
  if (bytes.empty()) return;
  const Status staged = store.stage(ref, 0, bytes);
  expect(staged.ok(), "a unit to be staged", staged.to_string());
  const auto applied = store.apply_staged();
  expect(applied.ok(), "bad units to be refused alone", applied.status().to_string());
  for (const auto& [unit, why] : applied->rejected) {
    expect(why.code() == Errc::corrupt || why.code() == Errc::version, "a typed error",
           why.to_string());
  }
  if (applied->units.empty()) {
    expect(table->state() == table->before(), "an unchanged database");
    store.drop_staged(ref.id);  // It may wait for what it depends on.
    return;
  }
  const auto problems = store.check();
  expect(problems.ok(), "a check", problems.status().to_string());
  expect(problems->empty(), "sound bookkeeping", problems->empty() ? "" : problems->front());
  const std::string after = table->state();
  expect(store.stage(ref, 0, bytes).ok() && store.apply_staged().ok(), "a known unit to be passed");
  const std::string again = table->state();
  expect(again == after, "applying twice to be as applying once", after + "\n" + again);
  table->clear();
}

}  // namespace
}  // namespace mycelial::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mycelial::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}

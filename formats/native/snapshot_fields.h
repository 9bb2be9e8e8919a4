// What each key of a snapshot file means: tables of fields, and the snapshot that grows while they are read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libvmscan/base/result.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan::formats {

/// A JSON value that is neither object nor array.
struct Scalar {
  enum class Kind { Null, Boolean, Number, BadNumber, Text };
  Kind kind = Kind::Null;
  bool boolean = false;
  std::uint64_t number = 0;
  std::string* text = nullptr;  // Text; may be moved from
  std::string_view digits;      // BadNumber (negative, fractional, too large): as it stands in the file
};

/// The objects and arrays of a snapshot file. Ignored: below a key that this version does not know.
enum class Context : std::uint8_t {
  Root,
  Target,
  NamespacePids,
  Arguments,
  AddressSpace,
  Regions,
  Region,
  Blocks,
  Block,
  Kernel,
  Limits,
  Limit,
  Threads,
  Thread,
  Heap,
  HeapList,
  HeapEntry,
  Sizes,
  Size,
  Types,
  Type,
  Shortfalls,
  Shortfall,
  Notes,
  Note,
  Ignored,
};
constexpr std::size_t context_count = static_cast<std::size_t>(Context::Ignored) + 1;

class SnapshotBuilder;

/// One key of an object: a scalar (assign, usage or counter), or what it opens.
struct Field {
  std::string_view name;
  void (*assign)(SnapshotBuilder&, const Scalar&) = nullptr;
  Context opens = Context::Ignored;  // Ignored: a scalar
  bool is_array = false;
  Bytes Usage::*usage = nullptr;
  Bytes KernelCounters::*counter = nullptr;

  bool is_scalar() const { return opens == Context::Ignored; }
};

/// The keys of an object; of an array nothing.
std::span<const Field> fields_of(Context context);
/// What the elements of an array open; Ignored when they are scalars.
Context element_of(Context array);
bool is_array(Context context);

/// Where something is wrong, relative to the value being read (".size", or empty), and why.
struct Problem {
  ErrorCode code = ErrorCode::Malformed;
  std::string place;
  std::string reason;
};

/// Something that the file holds and this version reads differently: an enum value that it does not know, a sum that is
/// none. Becomes one note for each code.
struct Oddity {
  std::string_view code;
  std::string text;
};

/// Takes the values of a snapshot file one by one. The last of equal keys wins.
class SnapshotBuilder {
 public:
  void enter(Context context, std::string_view key);
  void leave(Context context);
  void assign(const Field& field, const Scalar& value);
  void append(Context array, const Scalar& value);

  void fail(ErrorCode code, std::string reason, std::string place = {});
  const std::optional<Problem>& problem() const { return problem_; }

  /// What the last call met; the caller says where.
  const std::optional<Oddity>& oddity() const { return oddity_; }
  void record_oddity(const std::string& place);

  bool has_schema() const { return has_schema_; }
  /// The snapshot, with the notes on its oddities.
  Snapshot finish();

 private:
  friend struct Assign;

  /// A range as it comes in: keys in any order.
  struct PendingRange {
    std::optional<Address> begin, end;
    std::optional<std::uint64_t> size;
  };
  struct Oddities {
    std::string first;
    std::size_t count = 0;
  };

  Usage& usage() { return in_block_ ? block_.usage : region_.usage; }
  PendingRange& range() { return in_block_ ? block_range_ : region_range_; }
  void finish_target();
  void finish_region();
  void finish_block();
  void finish_address_space();
  void check_heap();
  std::optional<Range> checked(const PendingRange& pending);
  bool check_order();
  bool check_blocks();
  void add_whole_block();

  Snapshot snapshot_;
  Region region_;
  std::shared_ptr<HeapContents> heap_;  // while it is read
  Block block_;
  PendingRange region_range_, block_range_, address_space_;
  bool in_block_ = false;
  bool region_has_blocks_ = false;
  bool has_schema_ = false;
  std::optional<Oddity> oddity_;
  std::map<std::string, Oddities, std::less<>> oddities_;
  std::optional<Problem> problem_;
};

}  // namespace vmscan::formats

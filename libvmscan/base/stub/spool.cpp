#include "libvmscan/base/spool.h"

namespace vmscan {

struct Spool::State {};

Spool::Spool(std::unique_ptr<State> state) : state_(std::move(state)) {}
Spool::Spool(Spool&&) noexcept = default;
Spool& Spool::operator=(Spool&&) noexcept = default;
Spool::~Spool() = default;

Result<Spool> Spool::make(const std::string&, std::uint64_t) {
  return fail(ErrorCode::Unsupported,
              "on this system it can only be read from a file, as it is: unpack or save it first");
}
Result<void> Spool::append(std::span<const std::byte>) { return {}; }
Result<FileBytes> Spool::finish() { return FileBytes{}; }

}  // namespace vmscan

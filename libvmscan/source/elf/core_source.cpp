#include "libvmscan/source/core.h"
#include "libvmscan/source/elf/core_facts.h"
#include "libvmscan/source/elf/core_memory.h"

namespace vmscan {
namespace {

class CoreSource : public Source {
 public:
  CoreSource(FileBytes file, CoreFile core) : core_(std::move(core)), memory_(std::move(file), core_) {}
  CoreSource(const CoreSource&) = delete;
  CoreSource& operator=(const CoreSource&) = delete;

  Result<Facts> collect(const CollectOptions& options) override {
    memory_.set_backing({});
    memory_.set_files({});
    CoreFacts found = facts_of_core(core_, memory_, options);
    memory_.set_backing(std::move(found.backing));
    memory_.set_files(std::move(found.files));
    return std::move(found.facts);
  }
  const MemoryReader* memory() const override { return &memory_; }

 private:
  CoreFile core_;
  CoreMemory memory_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_core(FileBytes file) {
  auto core = read_core_file(file);
  if (!core) return std::unexpected(core.error());
  return std::make_unique<CoreSource>(std::move(file), std::move(*core));
}

}  // namespace vmscan

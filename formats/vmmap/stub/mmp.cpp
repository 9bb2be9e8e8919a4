// A build without an XML library: nothing is read.
#include "formats/vmmap/mmp.h"

namespace vmscan::formats {

Result<MmpFile> read_mmp(std::string_view) {
  return fail(ErrorCode::Unsupported, "this build has no XML library: it writes .mmp but does not read it");
}
Result<std::string> rewrite_mmp(std::string_view) {
  return fail(ErrorCode::Unsupported, "this build has no XML library: it writes .mmp but does not read it");
}

}  // namespace vmscan::formats

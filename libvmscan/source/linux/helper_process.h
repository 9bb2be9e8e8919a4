// A process of our own for what may wait for ever, such as opening a file of a file system that does not answer. A
// thread would not do: nothing ends one whose request such a file system has taken, not even the end of its program,
// which would have to wait for it (request_wait_answer() in fs/fuse/dev.c).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/source/linux/proc_dir.h"

namespace vmscan {

class HelperProcess {
 public:
  /// Answers a request. It runs in the helper, which knows what this process knew when it was started.
  using Serve = std::function<std::string(std::string_view request)>;

  HelperProcess(Serve serve, std::chrono::milliseconds patience) : serve_(std::move(serve)), patience_(patience) {}
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;
  ~HelperProcess() { leave(); }

  /// Nothing, when there is no answer in time: that helper is left behind, and the next request starts another one.
  /// After a few of them none is started any more. May be called by several threads.
  std::optional<std::string> ask(std::string_view request);

 private:
  using Clock = std::chrono::steady_clock;
  bool start();
  void leave();
  bool send(std::string_view bytes, Clock::time_point deadline) const;
  bool receive(char* to, std::size_t size, Clock::time_point deadline) const;
  bool wait_for(short event, Clock::time_point deadline) const;

  Serve serve_;
  std::chrono::milliseconds patience_;
  std::mutex lock_;
  pid_t pid_ = -1;
  Fd socket_;
  std::vector<pid_t> left_behind_;
};

}  // namespace vmscan

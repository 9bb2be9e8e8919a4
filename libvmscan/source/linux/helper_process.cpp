#include "libvmscan/source/linux/helper_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>

namespace vmscan {
namespace {

constexpr std::size_t most_left_behind = 4;
constexpr std::size_t most_bytes = std::size_t{1} << 24;  // of a request or an answer

bool read_whole(int fd, char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::read(fd, to, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool write_whole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string framed(std::string_view bytes) {
  const std::uint64_t size = bytes.size();
  std::string text(reinterpret_cast<const char*>(&size), sizeof size);
  return text.append(bytes);
}

/// Whoever waits for the end of our output shall not wait for a helper that was left behind.
void let_go_of_output() {
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, fd);
}

[[noreturn]] void serve_requests(int fd, const HelperProcess::Serve& serve) {
  let_go_of_output();
  std::string request;
  for (std::uint64_t size = 0; read_whole(fd, reinterpret_cast<char*>(&size), sizeof size) && size <= most_bytes;) {
    request.resize(static_cast<std::size_t>(size));
    if (!read_whole(fd, request.data(), request.size())) break;
    try {
      if (!write_whole(fd, framed(serve(request)))) break;
    } catch (...) {  // out of memory
      break;
    }
  }
  ::_exit(0);
}

}  // namespace

std::optional<std::string> HelperProcess::ask(std::string_view request) {
  const std::lock_guard guard(lock_);
  if (!socket_.valid() && !start()) return std::nullopt;
  const Clock::time_point deadline = Clock::now() + patience_;
  std::uint64_t size = 0;
  std::string answer;
  bool good = send(framed(request), deadline) && receive(reinterpret_cast<char*>(&size), sizeof size, deadline) &&
              size <= most_bytes;
  if (good) {
    answer.resize(static_cast<std::size_t>(size));
    good = receive(answer.data(), answer.size(), deadline);
  }
  if (good) return answer;
  leave();
  return std::nullopt;
}

bool HelperProcess::start() {
  std::erase_if(left_behind_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
  int ends[2];
  if (left_behind_.size() >= most_left_behind || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return false;
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(ends[0]);
    serve_requests(ends[1], serve_);
  }
  ::close(ends[1]);
  socket_ = Fd(ends[0]);
  if (pid_ > 0) return true;
  socket_ = Fd();
  return false;
}

/// It ends by itself when it finds its socket closed, or is ended, at the latest when what it waits for is over.
void HelperProcess::leave() {
  if (!socket_.valid()) return;
  socket_ = Fd();
  ::kill(pid_, SIGKILL);
  if (::waitpid(pid_, nullptr, WNOHANG) == 0) left_behind_.push_back(pid_);
}

bool HelperProcess::wait_for(short event, Clock::time_point deadline) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd look{.fd = socket_.get(), .events = event, .revents = 0};
    const int ready = ::poll(&look, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

bool HelperProcess::send(std::string_view bytes, Clock::time_point deadline) const {
  while (!bytes.empty()) {
    if (!wait_for(POLLOUT, deadline)) return false;
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool HelperProcess::receive(char* to, std::size_t size, Clock::time_point deadline) const {
  while (size > 0) {
    if (!wait_for(POLLIN, deadline)) return false;
    const ssize_t n = ::recv(socket_.get(), to, size, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return false;
    to += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace vmscan

// Paths that somebody else gave lead to plain files within their root, and nothing else is opened.
#ifdef __linux__
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/base/posix/regular_file.h"

using namespace vmscan;
namespace fs = std::filesystem;

namespace {

/// DIR/root/… below which is looked, and DIR/secret outside of it.
class Tree {
 public:
  Tree() {
    std::string name = (fs::temp_directory_path() / "vmscan-XXXXXX").string();
    top_ = ::mkdtemp(name.data());
    fs::create_directories(root() / "usr/lib");
    write(top_ / "secret");
    write(root() / "usr/lib/file");
    fs::create_symlink("/usr/lib", root() / "lib");
    fs::create_symlink("../../../../usr/lib", root() / "usr/lib/up");
    fs::create_symlink("../../secret", root() / "usr/out");
    fs::create_symlink(top_ / "secret", root() / "usr/away");
    fs::create_symlink("loop", root() / "loop");
    fs::create_symlink("/proc/self/exe", root() / "magic");
    write(root() / "empty", "");
    REQUIRE(::mkfifo((root() / "pipe").c_str(), 0600) == 0);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() {
    std::error_code ignored;
    fs::remove_all(top_, ignored);
  }
  fs::path root() const { return top_ / "root"; }
  const fs::path& top() const { return top_; }

 private:
  static void write(const fs::path& path, const std::string& text = "bytes") { std::ofstream(path) << text; }

  fs::path top_;
};

bool opens(const Tree& tree, const std::string& path) {
  return open_file_below(tree.root().string(), path).has_value();
}

/// How often the file was opened since it is watched.
class Watch {
 public:
  explicit Watch(const fs::path& path) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    REQUIRE(::inotify_add_watch(fd_.get(), path.c_str(), IN_OPEN) >= 0);
  }
  bool opened() const {
    char events[4096];
    return ::read(fd_.get(), events, sizeof events) > 0;
  }

 private:
  Fd fd_;
};

}  // namespace

TEST_CASE("links are followed within the root, and absolute ones begin there") {
  const Tree tree;
  CHECK(opens(tree, "/usr/lib/file"));
  CHECK(opens(tree, "usr/lib/file"));
  CHECK(opens(tree, "/lib/file"));
  CHECK(opens(tree, "/usr/lib/up/file"));
  for (const char* path : {"/usr/out", "/usr/away", "/loop", "/magic", "/usr/lib", "/none", "/", "", "/pipe", "/empty"})
    CHECK_FALSE(opens(tree, path));
  CHECK_FALSE(open_file_below((tree.root() / "none").string(), "/usr/lib/file"));
}

TEST_CASE("a path that the kernel gave has no links in it") {
  const Tree tree;
  const Fd root(::open(tree.root().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const char* path : {"/usr/lib/file", "usr/lib/file", "//usr///lib/file"}) {
    CHECK(look_at_file(root.get(), path, Follow::Nothing));
    CHECK(look_by_components(root.get(), path));
  }
  for (const char* path :
       {"/lib/file", "/usr/lib/up/file", "/usr/out", "/usr/away", "/loop", "/magic", "/none/file", ""}) {
    CHECK_FALSE(look_at_file(root.get(), path, Follow::Nothing));
    CHECK_FALSE(look_by_components(root.get(), path));
  }
  CHECK_FALSE(look_by_components(root.get(), "/usr/../usr/lib/file"));
  CHECK(look_at_file(AT_FDCWD, (tree.root() / "usr/out").string(), Follow::Anything));
}

TEST_CASE("a look opens nothing, and only a regular file is opened") {
  const Tree tree;
  const fs::path pipe = tree.root() / "pipe", file = tree.root() / "usr/lib/file";
  const Watch on_pipe(pipe), on_file(file);
  CHECK_FALSE(opens(tree, "/pipe"));
  CHECK_FALSE(open_file_bytes(pipe.string()));
  CHECK(open_file_bytes(pipe.string()).error().message == pipe.string() + ": not a regular file");
  CHECK_FALSE(on_pipe.opened());
  const auto look = look_at_file(AT_FDCWD, file.string(), Follow::Anything);
  REQUIRE(look);
  CHECK_FALSE(on_file.opened());
  CHECK(open_looked_at(*look).valid());
  CHECK(on_file.opened());
}
#endif

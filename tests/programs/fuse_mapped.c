// A file of a FUSE file system of its own, in mount and process of its own, mapped as a loader maps a library. `step`:
// from then on the file system takes requests and answers none. Arguments: an empty directory, the file whose contents
// it shows. Needs the right to mount.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "target.h"

enum { root_node = 1, file_node = 2, request_bytes = 1 << 17 };

static volatile sig_atomic_t silent = 0;

static void fall_silent(int signal) {
  (void)signal;
  silent = 1;
}

static void answer(int fuse, uint64_t unique, int error, const void* data, size_t size) {
  static char reply[request_bytes];
  const struct fuse_out_header head = {.len = (uint32_t)(sizeof head + size), .error = -error, .unique = unique};
  memcpy(reply, &head, sizeof head);
  if (size > 0) memcpy(reply + sizeof head, data, size);
  (void)!write(fuse, reply, head.len);
}

static struct fuse_attr attributes_of(uint64_t node, int file) {
  struct stat status;
  fstat(file, &status);
  struct fuse_attr attributes = {.ino = node, .mode = S_IFDIR | 0755, .nlink = 2, .blksize = 4096};
  if (node == file_node) {
    attributes.mode = S_IFREG | 0755;
    attributes.nlink = 1;
    attributes.size = (uint64_t)status.st_size;
  }
  return attributes;
}

/// Nothing is kept by the kernel: each name and attribute is asked for again.
static void serve(int fuse, int file) {
  static char request[request_bytes], data[request_bytes / 2];
  for (;;) {
    const ssize_t got = read(fuse, request, sizeof request);
    if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
    if (got <= 0) _exit(0);
    if (silent) continue;
    const struct fuse_in_header* const head = (struct fuse_in_header*)request;
    const void* const body = request + sizeof *head;
    if (head->opcode == FUSE_INIT) {
      const struct fuse_init_out out = {
          .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096, .max_readahead = 0};
      answer(fuse, head->unique, 0, &out, sizeof out);
    } else if (head->opcode == FUSE_LOOKUP && strcmp(body, "library") == 0) {
      const struct fuse_entry_out out = {.nodeid = file_node, .attr = attributes_of(file_node, file)};
      answer(fuse, head->unique, 0, &out, sizeof out);
    } else if (head->opcode == FUSE_LOOKUP) {
      answer(fuse, head->unique, ENOENT, NULL, 0);
    } else if (head->opcode == FUSE_GETATTR) {
      const struct fuse_attr_out out = {.attr = attributes_of(head->nodeid, file)};
      answer(fuse, head->unique, 0, &out, sizeof out);
    } else if (head->opcode == FUSE_OPEN) {
      const struct fuse_open_out out = {.open_flags = FOPEN_KEEP_CACHE};
      answer(fuse, head->unique, 0, &out, sizeof out);
    } else if (head->opcode == FUSE_READ) {
      const struct fuse_read_in* const in = body;
      const size_t most = in->size < sizeof data ? in->size : sizeof data;
      const ssize_t size = pread(file, data, most, (off_t)in->offset);
      answer(fuse, head->unique, 0, data, size < 0 ? 0 : (size_t)size);
    } else if (head->opcode == FUSE_RELEASE || head->opcode == FUSE_FLUSH) {
      answer(fuse, head->unique, 0, NULL, 0);
    } else if (head->opcode != FUSE_FORGET && head->opcode != FUSE_BATCH_FORGET && head->opcode != FUSE_INTERRUPT) {
      answer(fuse, head->unique, ENOSYS, NULL, 0);
    }
  }
}

static pid_t start_server(const char* directory, const char* shown) {
  if (unshare(CLONE_NEWNS) != 0) skip("no mount namespace of its own: %s", strerror(errno));
  must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "mount private");
  const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC), file = open(shown, O_RDONLY | O_CLOEXEC);
  if (fuse < 0) skip("/dev/fuse: %s", strerror(errno));
  must(file >= 0, shown);
  char options[128];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
  if (mount("vmscan", directory, "fuse", MS_NOSUID | MS_NODEV, options) != 0) skip("mount: %s", strerror(errno));
  const pid_t server = fork();
  must(server >= 0, "fork");
  if (server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGUSR1, fall_silent);
    serve(fuse, file);
  }
  close(fuse);  // the server alone keeps it: when it ends, all that waits is told so
  close(file);
  return server;
}

int main(int count, char** arguments) {
  must(count == 3, "arguments");
  const pid_t server = start_server(arguments[1], arguments[2]);
  char path[4096];
  snprintf(path, sizeof path, "%s/library", arguments[1]);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  must(fd >= 0, path);
  struct stat status;
  must(fstat(fd, &status) == 0, "fstat");
  const size_t size = (size_t)status.st_size / page_size() * page_size();
  char* const code = map_alone(size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd);
  char* const data = map_alone(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  must(code != MAP_FAILED && data != MAP_FAILED, "mmap");
  madvise(code, size, MADV_RANDOM);  // no page but those that are read comes in
  madvise(data, size, MADV_RANDOM);
  read_pages(code, 4 * page_size());
  write_pages(data, 4 * page_size());
  tell("code", code, size, "touched=%zu", 4 * page_size());
  tell("data", data, size, "touched=%zu", 4 * page_size());
  if (ready()) {
    kill(server, SIGUSR1);
    usleep(100000);
    ready();
  }
  kill(server, SIGKILL);
  return 0;
}

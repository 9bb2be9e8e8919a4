// objects [BLOCKS [LEAKED]]: a C++ program with BLOCKS (a million) live allocations of mixed sizes and objects of a few
// classes. Each step leaks LEAKED (20,000) objects of one class of 48 bytes, and allocates and frees a lot of other
// memory meanwhile. Says after each step `leaked` and `books`: where the first object is, and how many there are.
#include <memory>
#include <string>
#include <vector>

#include "target.h"

namespace shop {

struct Item {
  virtual ~Item() = default;
  virtual int price() const { return 1; }
  long number = 7;
};
struct Book : Item {
  int price() const override { return 2; }
  std::string title = "a title that is too long for its string";
};
struct Session : Item {  // 48 bytes: the vtable's address, Item's number, and 32 bytes more
  int price() const override { return 3; }
  long when[4] = {1, 2, 3, 4};
};
static_assert(sizeof(Session) == 48);

}  // namespace shop

namespace {

std::size_t number_of(char** arguments, int count, int index, std::size_t otherwise) {
  return count > index ? std::strtoull(arguments[index], nullptr, 10) : otherwise;
}

void churn(std::vector<std::unique_ptr<char[]>>& blocks) {
  for (std::size_t i = 0; i < blocks.size(); i += 3) blocks[i].reset();
  for (std::size_t i = 0; i < blocks.size(); i += 3) blocks[i] = std::make_unique<char[]>(1 + i % 40);
  std::vector<std::unique_ptr<char[]>> passing;
  for (std::size_t i = 0; i < 20'000; ++i) passing.push_back(std::make_unique<char[]>(1 + i % 3000));
}

}  // namespace

int main(int count, char** arguments) {
  const std::size_t total = number_of(arguments, count, 1, 1'000'000), leaked = number_of(arguments, count, 2, 20'000);
  std::vector<std::unique_ptr<char[]>> blocks;
  for (std::size_t i = 0; i < total; ++i) blocks.push_back(std::make_unique<char[]>(1 + i % (i % 100 == 0 ? 900 : 40)));
  std::vector<std::unique_ptr<shop::Book>> books;
  for (std::size_t i = 0; i < 1'000; ++i) books.push_back(std::make_unique<shop::Book>());
  std::vector<shop::Session*> sessions;
  sessions.reserve(10 * leaked);
  do {
    churn(blocks);
    for (std::size_t i = 0; i < leaked; ++i) sessions.push_back(new shop::Session);
    tell("leaked", sessions.front(), sizeof(shop::Session), "count=%zu", sessions.size());
    tell("books", books.front().get(), sizeof(shop::Book), "count=%zu", books.size());
  } while (ready() != 0);
  return 0;
}

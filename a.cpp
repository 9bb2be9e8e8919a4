#include <fmt/format.h>
#include <string>
std::string f(int a){return fmt::format("x {} {:#x} {:.1f}", a, a, a*1.0);}

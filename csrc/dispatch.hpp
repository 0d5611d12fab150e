// Which instruction set serves on the CPU.
#pragma once

#include <string>
#include <vector>

namespace convolith {

std::vector<std::string> available_isas();  // compiled in and supported by this CPU, best first
std::string current_isa();
void set_isa(const std::string& name);  // throws std::invalid_argument, naming what there is

}  // namespace convolith

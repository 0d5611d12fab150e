// Where in the source an instruction of this library comes from.
#pragma once

#include <cstdint>
#include <string>

namespace convolith::emu {

// Instructions are told apart by their distance from the start of the library, which fits 32 bits.
std::uint32_t code_offset(const void* code);
bool in_library(const void* p);  // its code and its constants

// "transpose.cu:17", of the instruction before `offset`.  "_C.so+0x1a2b" where the library has no line table, or where
// it was built without libbacktrace.
std::string source_line(std::uint32_t offset);

}  // namespace convolith::emu

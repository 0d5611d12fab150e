// What is asked of the emulated device beside its kernels.
#pragma once

#include "../runtime.hpp"

namespace convolith::emu {

// Checked: each access of a kernel is tested (check.hpp).  Counted: each is counted while somebody asks (count.hpp).
enum class Mode { plain, checked, counted };
void set_mode(Mode mode);
Mode mode() noexcept;

const Runtime& runtime();  // that of the mode

}  // namespace convolith::emu

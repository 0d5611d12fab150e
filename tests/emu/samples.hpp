// The kernels of samples.cu by their names, one list for each build of the emulator.
#pragma once

namespace convolith {

struct Sample {
  const char* name;
  void (*run)(const char* name, const float* x, float* y, int n);
};

namespace emu {
extern const Sample samples[];
}
namespace emu_checked {
extern const Sample samples[];
}
namespace emu_counted {
extern const Sample samples[];
}

}  // namespace convolith

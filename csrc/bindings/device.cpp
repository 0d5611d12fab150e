// Arrays that live on a device.
#include "../emu/block.hpp"
#include "../emu/count.hpp"
#include "../emu/runtime.hpp"
#include "../ops/check.hpp"
#include "bindings.hpp"
#include "dlpack.hpp"

namespace convolith::bindings {
namespace {

py::object dtype_or_marker(const Array& x) {
  if (x.dtype == DType::bf16) return py::module_::import("convolith.device").attr("bfloat16");
  return dtype_of(x);
}

py::tuple shape_of(const Array& x) {
  py::tuple shape(x.shape.rank);
  for (int i = 0; i < x.shape.rank; ++i) shape[static_cast<std::size_t>(i)] = x.shape.dim[i];
  return shape;
}

std::vector<std::string> devices() {
  std::vector<std::string> names;
  for (const Device device : {Device::cpu, Device::emu, Device::cuda})
    if (device == Device::cpu || has_runtime(device)) names.emplace_back(name_of(device));
  return names;
}

// The step in elements from one index of each axis to the next, row by row, and as x lies in memory.
Shape row_strides(const Shape& shape) {
  Shape strides = shape;
  for (int i = 0; i < shape.rank; ++i) strides[i] = shape.size(i + 1, shape.rank);
  return strides;
}
Shape strides_of(const Array& x) {
  const Shape memory = row_strides(memory_shape(x));
  Shape strides = x.shape;
  for (int i = 0; i < x.shape.rank; ++i) strides[i] = memory[memory_axis(x, i)];
  return strides;
}

// --- Other libraries' views of the memory ----------------------------------------------------------------------------

std::int32_t dlpack_device(const Array& x) {
  return x.device == Device::cuda ? dl_cuda : dl_cpu;  // what is emulated is the host's memory
}

// A capsule over the memory of x, which lives as long as anybody's view of it.
py::capsule dlpack(const Array& x) {
  struct Exported {
    DLManagedTensor managed{};
    Array array;
    Shape strides;
  };
  auto* e = new Exported;
  e->array = x;
  e->strides = strides_of(x);
  const std::uint8_t code = x.dtype == DType::i64 ? dl_int : x.dtype == DType::bf16 ? dl_bfloat : dl_float;
  const auto bits = static_cast<std::uint8_t>(8 * item_size(x.dtype));
  e->managed.tensor = {x.data, {dlpack_device(x), 0}, x.shape.rank, {code, bits, 1}, e->array.shape.dim, e->strides.dim,
                       0};
  e->managed.context = e;
  e->managed.deleter = [](DLManagedTensor* m) { delete static_cast<Exported*>(m->context); };
  return py::capsule(&e->managed, "dltensor", [](PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, "dltensor")) return;  // somebody has taken it, and will call the deleter
    auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
    managed->deleter(managed);
  });
}

py::dict cuda_array_interface(const Array& x) {
  if (x.device != Device::cuda) throw py::attribute_error("the array is not on a GPU");
  if (x.dtype == DType::bf16) throw py::attribute_error("the interface does not know bfloat16; DLPack does");
  const Shape strides = strides_of(x);
  py::tuple bytes(x.shape.rank);
  for (int i = 0; i < x.shape.rank; ++i) bytes[static_cast<std::size_t>(i)] = strides.dim[i] * item_size(x.dtype);
  py::dict interface;
  interface["shape"] = shape_of(x);
  interface["strides"] = bytes;
  interface["typestr"] = dtype_of(x).attr("str");
  interface["data"] = py::make_tuple(reinterpret_cast<std::uintptr_t>(x.data), false);
  interface["version"] = 3;
  return interface;
}

// The array in a capsule: its memory itself where channels lie last there, as they do here.
Array from_dlpack(const py::capsule& capsule) {
  const Check check("from_dlpack");
  check.require(std::string(capsule.name()) == "dltensor", "the capsule was taken before");
  auto* managed = capsule.get_pointer<DLManagedTensor>();
  const DLTensor& t = managed->tensor;
  check.require(t.device.type == dl_cuda, "the tensor is on DLPack device ", t.device.type, ", not on a GPU (2)");
  check.require(t.ndim <= Shape::max_rank, "the tensor has ", t.ndim, " axes, at most ", Shape::max_rank, " are known");
  Array x;
  x.device = Device::cuda;
  x.data = static_cast<char*>(t.data) + t.byte_offset;
  x.shape.rank = t.ndim;
  for (int i = 0; i < t.ndim; ++i) x.shape[i] = t.shape[i];
  x.dtype = t.dtype.code == dl_float && t.dtype.bits == 32    ? DType::f32
            : t.dtype.code == dl_float && t.dtype.bits == 64  ? DType::f64
            : t.dtype.code == dl_float && t.dtype.bits == 16  ? DType::f16
            : t.dtype.code == dl_bfloat && t.dtype.bits == 16 ? DType::bf16
            : t.dtype.code == dl_int && t.dtype.bits == 64    ? DType::i64
                                                              : DType::other;
  check.require(x.dtype != DType::other && t.dtype.lanes == 1,
                "the tensor is not float16, bfloat16, float32, float64 or int64");
  const auto lies = [&](const Shape& strides) {
    for (int i = 0; i < t.ndim; ++i)
      if (t.shape[i] != 1 && t.strides[i] != strides[i]) return false;
    return true;
  };
  const bool rows = !t.strides || lies(row_strides(x.shape)), in_place = rows ? is_row_major(x) : lies(strides_of(x));
  check.require(rows || in_place, "the tensor ", text(x.shape), " is neither contiguous nor channels last");
  PyCapsule_SetName(capsule.ptr(), "used_dltensor");
  x.owner = {managed, [](void* m) {
               auto* managed = static_cast<DLManagedTensor*>(m);
               if (managed->deleter) managed->deleter(managed);
             }};
  if (in_place) return x;
  const Array y = allocate(x.shape, x.dtype, x.device);
  from_row_major(x, y);
  return y;
}

#ifdef CONVOLITH_HAS_EMU

constexpr const char* orders[] = {"forward", "backward", "random"};  // as in emu::Order
constexpr const char* modes[] = {"plain", "checked", "counted"};     // as in emu::Mode

// The order in which emulated threads take turns; `seed` is for 'random'.
void set_emulated_order(const Text& order, const Unsigned& seed) {
  const Check check("order");
  const std::uint64_t start = check.uint64(seed, "seed");
  for (int i = 0; i < 3; ++i)
    if (check.string(order, "order") == orders[i]) return emu::set_order(static_cast<emu::Order>(i), start);
  check.value_error("order must be 'forward', 'backward' or 'random', got '", order.value, "'");
}

void set_emulation(const Text& mode) {
  const Check check("emulation");
  for (int i = 0; i < 3; ++i)
    if (check.string(mode, "mode") == modes[i]) return emu::set_mode(static_cast<emu::Mode>(i));
  check.value_error("mode must be 'plain', 'checked' or 'counted', got '", mode.value, "'");
}

py::dict counts() {
  const emu::Counts c = emu::stop_counting();
  const auto name_of = [](emu::Access what) {
    return what == emu::Access::read     ? "read"
           : what == emu::Access::write  ? "write"
           : what == emu::Access::atomic ? "atomic"
                                         : "copy";
  };
  py::list kernels, lines;
  for (const emu::KernelCount& k : c.kernels)
    kernels.append(py::dict("kernel"_a = k.kernel, "grids"_a = k.grids, "blocks"_a = k.blocks, "threads"_a = k.threads,
                            "barriers"_a = k.barriers, "warp_barriers"_a = k.warp_barriers, "steps"_a = k.steps,
                            "step_lanes"_a = k.step_lanes, "tensor_flops"_a = k.tensor_flops));
  for (const emu::LineCount& l : c.lines)
    lines.append(py::dict("kernel"_a = l.kernel, "line"_a = l.line, "access"_a = name_of(l.what),
                          "memory"_a = l.shared ? "shared" : "global", "requests"_a = l.requests, "lanes"_a = l.lanes,
                          "bytes"_a = l.bytes, "transactions"_a = l.transactions,
                          "least_transactions"_a = l.least_transactions));
  return py::dict("kernels"_a = kernels, "lines"_a = lines);
}

#endif

}  // namespace

void register_device(py::module_& m) {
  py::class_<DeviceArray>(m, "DeviceArray")
      .def_property_readonly("shape", [](const DeviceArray& x) { return shape_of(x.array); })
      .def_property_readonly("ndim", [](const DeviceArray& x) { return x.array.shape.rank; })
      .def_property_readonly("size", [](const DeviceArray& x) { return x.array.size(); })
      .def_property_readonly("nbytes", [](const DeviceArray& x) { return x.array.bytes(); })
      .def_property_readonly("dtype", [](const DeviceArray& x) { return dtype_or_marker(x.array); })
      .def_property_readonly("device", [](const DeviceArray& x) { return name_of(x.array.device); })
      .def_property_readonly("is_shared", [](const DeviceArray& x) { return x.array.owner.use_count() > 1; })
      .def_property_readonly("__cuda_array_interface__",
                             [](const DeviceArray& x) { return cuda_array_interface(x.array); })
      .def("__dlpack_device__", [](const DeviceArray& x) { return py::make_tuple(dlpack_device(x.array), 0); })
      .def("__dlpack__", [](const DeviceArray& x, const py::kwargs&) { return dlpack(x.array); })
      .def(
          "numpy", [](const DeviceArray& x) { return to_device(x.array, Device::cpu); },
          py::call_guard<py::gil_scoped_release>())
      .def(
          "assign", [](const Array& x, const Array& values) { ops::assign(x, values); }, "values"_a,
          py::call_guard<py::gil_scoped_release>())
      // For who has made the current stream wait for the one that x was made on: the memory is used again in its order.
      .def("adopt", [](const DeviceArray& x) { runtime(x.array.device).streams.adopt(x.array.owner.get()); })
      .def(
          "copy", [](const Array& x) { return to_device(x, x.device); }, py::call_guard<py::gil_scoped_release>())
      .def("__deepcopy__", [](const Array& x, const py::dict&) { return to_device(x, x.device); }, "memo"_a);
  m.def("from_dlpack", &from_dlpack, "capsule"_a);
  def(m, "cast", ops::cast, "x"_a, "dtype"_a);
  def(m, "full", ops::full, "shape"_a, "value"_a, "dtype"_a, "device"_a);
  def(m, "to_device", ops::to_device, "x"_a, "device"_a, "non_blocking"_a = false);
  def(m, "to_pinned", ops::to_pinned, "x"_a, "device"_a = "cuda");
#ifdef CONVOLITH_HAS_EMU
  m.def("set_emulated_order", &set_emulated_order, "order"_a, "seed"_a = 0);
  m.def("set_emulation", &set_emulation, "mode"_a);
  m.def("start_counting", &emu::start_counting);
  m.def("stop_counting", &counts);
  m.def("emulation", [] { return modes[static_cast<int>(emu::mode())]; });
#endif
  m.def("devices", &devices);
  m.def(
      "synchronize",
      [](const Text& device) {
        const Device d = Check("synchronize").device(device);
        if (d == Device::cpu) return;
        refuse_capture(d, "synchronize()");
        runtime(d).synchronize();
      },
      "device"_a, py::call_guard<py::gil_scoped_release>());
}

}  // namespace convolith::bindings

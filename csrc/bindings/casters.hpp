// Python objects to what ops/ takes, and back.  Casts only: what does not fit travels on as `unfit`, and the check
// in ops/ that knows the argument's name complains.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "../array.hpp"
#include "../graph.hpp"
#include "../ops/arguments.hpp"

namespace convolith::bindings {

namespace py = pybind11;

// What Python holds of an array that lives on a device.
struct DeviceArray {
  Array array;
};

// The array of an argument, which a graph that is being captured keeps.
inline Array argument(py::handle h) {
  Array array = h.cast<const DeviceArray&>().array;
  array.object = h.ptr();
  if (Graph* graph = current_capture()) graph->keep(array);
  return array;
}

inline std::string describe(py::handle h) {
  std::string text = py::repr(h);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

inline std::string a_type(py::handle h) {
  if (h.is_none()) return "None";
  return "a " + std::string(py::str(py::type::handle_of(h).attr("__name__")));
}

// NumPy's dtype; bfloat16 has none.
inline py::dtype dtype_of(const Array& x) {
  return x.dtype == DType::f32   ? py::dtype::of<float>()
         : x.dtype == DType::f64 ? py::dtype::of<double>()
         : x.dtype == DType::f16 ? py::dtype("float16")
         : x.dtype == DType::u8  ? py::dtype::of<std::uint8_t>()
                                 : py::dtype::of<std::int64_t>();
}

// Row-major without gaps, and aligned: what kernels take.
inline bool usable(const py::array& array) {
  return (array.flags() & py::array::c_style) && (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_);
}

// A contiguous copy that lives as long as `a`.
inline py::array contiguous_copy(const py::array& array, Array& a) {
  py::array copy = py::module_::import("numpy").attr("array")(array, py::arg("order") = "C");
  a.copy = {copy.inc_ref().ptr(), [](void* object) {
              const py::gil_scoped_acquire gil;
              Py_DECREF(static_cast<PyObject*>(object));
            }};
  return copy;
}

// Pointer, shape and dtype, as they are.
inline void view(py::array& array, Array& a) {
  if (array.ndim() > Shape::max_rank) {
    a.unfit = "an array of " + std::to_string(array.ndim()) + " axes";
    return;
  }
  a.data = const_cast<void*>(array.data());
  a.shape.rank = static_cast<int>(array.ndim());
  for (int i = 0; i < a.shape.rank; ++i) a.shape.dim[i] = array.shape(i);
  const py::dtype dtype = array.dtype();
  const bool native = dtype.byteorder() == '=' || dtype.byteorder() == '|';
  if (native && dtype.kind() == 'f' && dtype.itemsize() == 4)
    a.dtype = DType::f32;
  else if (native && dtype.kind() == 'f' && dtype.itemsize() == 2)
    a.dtype = DType::f16;
  else if (native && dtype.kind() == 'f' && dtype.itemsize() == 8)
    a.dtype = DType::f64;
  else if (native && dtype.kind() == 'i' && dtype.itemsize() == 8)
    a.dtype = DType::i64;
  else if (dtype.kind() == 'u' && dtype.itemsize() == 1)
    a.dtype = DType::u8;
  else
    a.unfit = py::str(dtype);
}

inline bool read_int(py::handle h, std::int64_t& value) {
  if (PyBool_Check(h.ptr()) || !PyIndex_Check(h.ptr())) return false;
  value = PyLong_AsLongLong(py::reinterpret_steal<py::object>(PyNumber_Index(h.ptr())).ptr());
  if (value == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    return false;
  }
  return true;
}

// Reads up to `most` ints of a tuple or list; -1 where it is something else.
inline int read_ints(py::handle h, std::int64_t* values, int most) {
  if (!PyTuple_Check(h.ptr()) && !PyList_Check(h.ptr())) return -1;
  const auto items = py::reinterpret_borrow<py::sequence>(h);
  if (items.size() > static_cast<std::size_t>(most)) return -1;
  int n = 0;
  for (py::handle item : items)
    if (!read_int(item, values[n++])) return -1;
  return n;
}

}  // namespace convolith::bindings

namespace pybind11::detail {

using convolith::Arg;
using convolith::Array;
using convolith::Arrays;
using convolith::Dims;
using convolith::Operand;
using convolith::OutputSize;
using convolith::Padding;
using convolith::Pair;
using convolith::RealPair;
using convolith::Shape;
using convolith::StepArg;
using convolith::Target;
using convolith::Targets;

// Array: a DeviceArray, or any ndarray; one that is not contiguous is copied for the call.
template <>
struct type_caster<Array> {
  PYBIND11_TYPE_CASTER(Array, const_name("numpy.ndarray"));

  bool load(handle source, bool) {
    if (isinstance<convolith::bindings::DeviceArray>(source)) {
      value = convolith::bindings::argument(source);
      return true;
    }
    if (!isinstance<array>(source)) {
      value.unfit = convolith::bindings::a_type(source);
      return true;
    }
    auto given = reinterpret_borrow<array>(source);
    if (!convolith::bindings::usable(given)) given = convolith::bindings::contiguous_copy(given, value);
    convolith::bindings::view(given, value);
    value.object = given.ptr();
    return true;
  }

  // A result that is an argument goes back as that object, one that views an argument keeps it alive, and one that
  // ops/ allocated returns to the pool when its last view dies.
  static handle cast(const Array& a, return_value_policy policy, handle parent) {
    if (a.device != convolith::Device::cpu) return cast_on_device(a, policy, parent);
    const std::vector<ssize_t> shape(a.shape.dim, a.shape.dim + a.shape.rank);
    const pybind11::dtype type = convolith::bindings::dtype_of(a);
    if (!a.owner) {
      const auto source = reinterpret_borrow<array>(static_cast<PyObject*>(a.object));
      const bool itself = source.ndim() == a.shape.rank && std::equal(shape.begin(), shape.end(), source.shape());
      return itself ? handle(source).inc_ref() : array(type, shape, a.data, source).release();
    }
    const capsule owner(new std::shared_ptr<void>(a.owner),
                        [](void* p) { delete static_cast<std::shared_ptr<void>*>(p); });
    return array(type, shape, a.data, owner).release();
  }

 private:
  static handle cast_on_device(const Array& a, return_value_policy, handle) {
    using convolith::bindings::DeviceArray;
    const handle argument(static_cast<PyObject*>(a.object));
    if (argument && argument.cast<const DeviceArray&>().array.shape == a.shape) return argument.inc_ref();
    DeviceArray result{a};
    result.array.object = nullptr;
    return pybind11::cast(std::move(result)).release();
  }
};

// Target: a DeviceArray, or an ndarray as it comes, never a copy.
template <>
struct type_caster<Target> {
  PYBIND11_TYPE_CASTER(Target, const_name("numpy.ndarray"));

  bool load(handle source, bool) {
    if (isinstance<convolith::bindings::DeviceArray>(source)) {
      static_cast<Array&>(value) = convolith::bindings::argument(source);
      return true;
    }
    if (!isinstance<array>(source)) {
      value.unfit = convolith::bindings::a_type(source);
      return true;
    }
    auto given = reinterpret_borrow<array>(source);
    convolith::bindings::view(given, value);
    value.contiguous = convolith::bindings::usable(given);
    value.writeable = given.writeable();
    value.object = source.ptr();
    if (!value.contiguous) {
      given = convolith::bindings::contiguous_copy(given, value);
      value.readable = const_cast<void*>(given.data());
    }
    return true;
  }
};

// Arrays: a tuple or list of ndarrays; back as the object that was given as out=, else as a new tuple or list.
template <>
struct type_caster<Arrays> {
  PYBIND11_TYPE_CASTER(Arrays, const_name("Sequence[numpy.ndarray]"));

  bool load(handle source, bool convert) {
    if (!PyTuple_Check(source.ptr()) && !PyList_Check(source.ptr())) {
      value.unfit = convolith::bindings::a_type(source);
      return true;
    }
    for (handle item : reinterpret_borrow<sequence>(source)) {
      type_caster<Array> array;
      array.load(item, convert);
      value.items.push_back(static_cast<Array&>(array));
    }
    return true;
  }

  static handle cast(const Arrays& a, return_value_policy policy, handle parent) {
    if (a.object) return handle(static_cast<PyObject*>(a.object)).inc_ref();
    list results;
    for (const Array& item : a.items)
      results.append(reinterpret_steal<object>(type_caster<Array>::cast(item, policy, parent)));
    return a.list ? results.release() : tuple(results).release();
  }
};

template <>
struct type_caster<Targets> {
  PYBIND11_TYPE_CASTER(Targets, const_name("Sequence[numpy.ndarray | None]"));

  bool load(handle source, bool convert) {
    value.object = source.ptr();
    if (!PyTuple_Check(source.ptr()) && !PyList_Check(source.ptr())) {
      value.unfit = convolith::bindings::a_type(source);
      return true;
    }
    for (handle item : reinterpret_borrow<sequence>(source)) {
      type_caster<Target> target;
      if (item.is_none()) {
        value.items.emplace_back();
      } else {
        target.load(item, convert);
        value.items.emplace_back(static_cast<Target&>(target));
      }
    }
    return true;
  }
};

template <class T>
struct scalar_caster {
  PYBIND11_TYPE_CASTER(Arg<T>, make_caster<T>::name);

  bool load(handle source, bool) {
    if (!read(source, value.value)) {
      PyErr_Clear();
      value.unfit = convolith::bindings::describe(source);
    }
    return true;
  }

 private:
  static bool read(handle h, std::int64_t& v) { return convolith::bindings::read_int(h, v); }
  static bool read(handle h, std::uint64_t& v) {
    if (PyBool_Check(h.ptr()) || !PyIndex_Check(h.ptr())) return false;
    v = PyLong_AsUnsignedLongLong(reinterpret_steal<object>(PyNumber_Index(h.ptr())).ptr());
    return !PyErr_Occurred();
  }
  static bool read(handle h, double& v) {
    if (PyBool_Check(h.ptr()) || PyUnicode_Check(h.ptr()) ||
        !(PyFloat_Check(h.ptr()) || PyIndex_Check(h.ptr()) || hasattr(h, "__float__")))
      return false;
    v = PyFloat_AsDouble(h.ptr());
    return !PyErr_Occurred();
  }
  static bool read(handle h, bool& v) {
    v = h.ptr() == Py_True;
    if (PyBool_Check(h.ptr())) return true;
    type_caster<bool> numpy_bool;  // numpy.bool_ is fine too
    if (!numpy_bool.load(h, false)) return false;
    v = static_cast<bool>(numpy_bool);
    return true;
  }
  static bool read(handle h, std::string& v) {
    if (!PyUnicode_Check(h.ptr())) return false;
    v = reinterpret_borrow<str>(h);
    return true;
  }
};
template <>
struct type_caster<Arg<std::int64_t>> : scalar_caster<std::int64_t> {};
template <>
struct type_caster<Arg<std::uint64_t>> : scalar_caster<std::uint64_t> {};
template <>
struct type_caster<Arg<double>> : scalar_caster<double> {};
template <>
struct type_caster<Arg<bool>> : scalar_caster<bool> {};
template <>
struct type_caster<Arg<std::string>> : scalar_caster<std::string> {};

// StepArg: an int, or an array.
template <>
struct type_caster<StepArg> {
  PYBIND11_TYPE_CASTER(StepArg, const_name("int | numpy.ndarray"));
  bool load(handle source, bool convert) {
    type_caster<Arg<std::int64_t>> number;
    type_caster<Target> counter;
    const bool is_array = isinstance<array>(source) || isinstance<convolith::bindings::DeviceArray>(source);
    if (is_array && counter.load(source, convert))
      value.counter = static_cast<Target&>(counter);
    else if (number.load(source, convert))
      value.number = static_cast<Arg<std::int64_t>&>(number);
    return true;
  }
};

template <>
struct type_caster<Arg<Shape>> {
  PYBIND11_TYPE_CASTER(Arg<Shape>, const_name("tuple[int, ...]"));
  bool load(handle source, bool) {
    value.value.rank = convolith::bindings::read_ints(source, value.value.dim, Shape::max_rank);
    if (value.value.rank < 0) value.unfit = convolith::bindings::describe(source);
    return true;
  }
};

template <>
struct type_caster<Arg<Pair>> {
  PYBIND11_TYPE_CASTER(Arg<Pair>, const_name("int | tuple[int, int]"));
  bool load(handle source, bool) {
    std::int64_t v[2];
    if (convolith::bindings::read_int(source, v[0]))
      value.value = {v[0], v[0]};
    else if (convolith::bindings::read_ints(source, v, 2) == 2)
      value.value = {v[0], v[1]};
    else
      value.unfit = convolith::bindings::describe(source);
    return true;
  }
};

template <>
struct type_caster<Arg<RealPair>> {
  PYBIND11_TYPE_CASTER(Arg<RealPair>, const_name("float | tuple[float, float]"));
  bool load(handle source, bool convert) {
    const bool pair = (PyTuple_Check(source.ptr()) || PyList_Check(source.ptr())) && len(source) == 2;
    type_caster<Arg<double>> h, w;
    h.load(pair ? object(source[int_(0)]) : reinterpret_borrow<object>(source), convert);
    w.load(pair ? object(source[int_(1)]) : reinterpret_borrow<object>(source), convert);
    const Arg<double>&vertical = h, &horizontal = w;
    value.value = {vertical.value, horizontal.value};
    if (!vertical.unfit.empty() || !horizontal.unfit.empty()) value.unfit = convolith::bindings::describe(source);
    return true;
  }
};

template <>
struct type_caster<Arg<Padding>> {
  PYBIND11_TYPE_CASTER(Arg<Padding>, const_name("int | tuple[int, ...] | str"));
  bool load(handle source, bool) {
    std::int64_t v[4];
    const int n = convolith::bindings::read_int(source, v[0]) ? 1 : convolith::bindings::read_ints(source, v, 4);
    if (n == 1 && !PyTuple_Check(source.ptr()) && !PyList_Check(source.ptr()))
      value.value = {v[0], v[0], v[0], v[0], {}};
    else if (n == 2)
      value.value = {v[0], v[0], v[1], v[1], {}};
    else if (n == 4)
      value.value = {v[0], v[1], v[2], v[3], {}};
    else if (isinstance<str>(source))
      value.value.name = reinterpret_borrow<str>(source);
    else
      value.unfit = convolith::bindings::describe(source);
    return true;
  }
};

template <>
struct type_caster<Arg<OutputSize>> {
  PYBIND11_TYPE_CASTER(Arg<OutputSize>, const_name("int | tuple[int | None, int | None]"));
  bool load(handle source, bool) {
    OutputSize& size = value.value;
    if (convolith::bindings::read_int(source, size.h)) {
      size.w = size.h;
      return true;
    }
    const bool pair = (PyTuple_Check(source.ptr()) || PyList_Check(source.ptr())) && len(source) == 2;
    if (!pair || !read(source[int_(0)], size.h, size.same_h) || !read(source[int_(1)], size.w, size.same_w))
      value.unfit = convolith::bindings::describe(source);
    return true;
  }

 private:
  static bool read(const object& item, std::int64_t& extent, bool& same) {
    same = item.is_none();
    return same || convolith::bindings::read_int(item, extent);
  }
};

template <>
struct type_caster<Arg<std::vector<std::int64_t>>> {
  PYBIND11_TYPE_CASTER(Arg<std::vector<std::int64_t>>, const_name("Sequence[int]"));
  bool load(handle source, bool) {
    const bool several = PyTuple_Check(source.ptr()) || PyList_Check(source.ptr());
    value.value.resize(several ? len(source) : 0);
    const int most = static_cast<int>(value.value.size());
    if (convolith::bindings::read_ints(source, value.value.data(), most) < 0)
      value.unfit = convolith::bindings::describe(source);
    return true;
  }
};

template <>
struct type_caster<Arg<Dims>> {
  PYBIND11_TYPE_CASTER(Arg<Dims>, const_name("int | tuple[int, ...]"));
  bool load(handle source, bool convert) {
    type_caster<Arg<std::int64_t>> number;
    type_caster<Arg<std::vector<std::int64_t>>> numbers;
    if (number.load(source, convert) && static_cast<Arg<std::int64_t>&>(number).unfit.empty()) {
      value.value.axes = {static_cast<Arg<std::int64_t>&>(number).value};
    } else if (numbers.load(source, convert)) {
      value.value.axes = static_cast<Arg<std::vector<std::int64_t>>&>(numbers).value;
      value.unfit = static_cast<Arg<std::vector<std::int64_t>>&>(numbers).unfit;
    }
    return true;
  }
};

// Operand: an array, or a number.
template <>
struct type_caster<Operand> {
  PYBIND11_TYPE_CASTER(Operand, const_name("numpy.ndarray | float"));
  bool load(handle source, bool convert) {
    type_caster<Array> whole;
    type_caster<Arg<double>> number;
    if (isinstance<array>(source) || isinstance<convolith::bindings::DeviceArray>(source)) {
      whole.load(source, convert);
      value.array = static_cast<Array&>(whole);
    } else {
      number.load(source, convert);
      value.number = static_cast<Arg<double>&>(number);
    }
    return true;
  }
};

}  // namespace pybind11::detail

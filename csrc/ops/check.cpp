#include "check.hpp"

namespace convolith {
namespace {

bool disjoint(const Array& x, const Array& y) {
  return x.size() == 0 || y.size() == 0 || x.ptr<char>() + x.bytes() <= y.ptr<char>() ||
         y.ptr<char>() + y.bytes() <= x.ptr<char>();
}

}  // namespace

std::string text(const Shape& shape) {
  std::string s = "(";
  for (int i = 0; i < shape.rank; ++i) s += (i ? ", " : "") + std::to_string(shape.dim[i]);
  return s + (shape.rank == 1 ? ",)" : ")");
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float32";
    case DType::f64:
      return "float64";
    case DType::f16:
      return "float16";
    case DType::bf16:
      return "bfloat16";
    case DType::i64:
      return "int64";
    case DType::u8:
      return "uint8";
    case DType::other:
      break;
  }
  return "another dtype";
}

std::string dtype_text(const Array& x) {
  return x.dtype == DType::other ? x.unfit : name_of(x.dtype);
}

const char* name_of(Device device) {
  switch (device) {
    case Device::cpu:
      return "cpu";
    case Device::emu:
      return "emu";
    case Device::cuda:
      break;
  }
  return "cuda";
}

Activation Check::activation(const Text& arg) const {
  const std::string& name = string(arg, "activation");
  if (name == "identity") return Activation::identity;
  if (name == "relu") return Activation::relu;
  value_error("activation must be 'identity' or 'relu', got '", name, "'");
}

PaddingMode Check::padding_mode(const Text& arg) const {
  const std::string& name = string(arg, "padding_mode");
  if (name == "zeros") return PaddingMode::zeros;
  if (name == "reflect") return PaddingMode::reflect;
  if (name == "replicate") return PaddingMode::replicate;
  if (name == "circular") return PaddingMode::circular;
  value_error("padding_mode must be 'zeros', 'reflect', 'replicate' or 'circular', got '", name, "'");
}

Device Check::device(const Text& arg) const {
  const std::string& name = string(arg, "device");
  for (const Device device : {Device::cpu, Device::emu, Device::cuda})
    if (name == name_of(device)) return device;
  value_error("device must be 'cpu', 'emu' or 'cuda', got '", name, "'");
}

DType Check::dtype(const Text& arg, std::initializer_list<DType> known) const {
  const std::string& name = string(arg, "dtype");
  std::string list;
  for (const DType d : known) {
    if (name == name_of(d)) return d;
    list += std::string(list.empty() ? "" : ", ") + name_of(d);
  }
  value_error("dtype must be one of ", list, ", got '", name, "'");
}

double Check::finite(const Real& arg, const char* name) const {
  const double v = value(arg, name, "a number");
  require(std::isfinite(v), name, " must be finite, got ", v);
  return v;
}

double Check::at_least_zero(const Real& arg, const char* name) const {
  const double v = finite(arg, name);
  require(v >= 0, name, " must be at least 0, got ", v);
  return v;
}

double Check::within(const Real& arg, const char* name, double least, double most) const {
  const double v = value(arg, name, "a number");
  require(v >= least && v <= most, name, " must be in [", least, ", ", most, "], got ", v);
  return v;
}

Pair Check::pair(const PairArg& arg, const char* name, std::int64_t least) const {
  const Pair v = value(arg, name, "an int or a pair of ints (vertical, horizontal)");
  require(v.h >= least && v.w >= least, name, " must be at least ", least, ", got ",
          v.h == v.w ? std::to_string(v.h) : text(Shape{v.h, v.w}));
  return v;
}

const Padding& Check::sides(const PaddingArg& arg, const char* name) const {
  constexpr const char* forms = "an int, (vertical, horizontal) or (top, bottom, left, right)";
  const Padding& pad = value(arg, name, forms);
  if (!pad.name.empty()) type_error(name, " must be ", forms, ", got '", pad.name, "'");
  return pad;
}

std::int64_t Check::axis(const Int& arg, const char* name, int rank) const {
  const std::int64_t v = integer(arg, name);
  require(v >= -rank && v < rank, name, " ", v, " is out of range for an array of ", rank, " axes");
  return v < 0 ? v + rank : v;
}

Reduction Check::reduction(const Text& arg) const {
  const std::string& how = string(arg, "reduction");
  if (how == "mean") return Reduction::mean;
  if (how == "sum") return Reduction::sum;
  if (how == "none") return Reduction::none;
  value_error("reduction must be 'mean', 'sum' or 'none', got '", how, "'");
}

void Check::array(const Array& x, const char* name) const {
  if (x.data == nullptr && !x.unfit.empty()) type_error(name, " must be a NumPy array, got ", x.unfit);
}

void Check::floating(const Array& x, const char* name) const {
  array(x, name);
  if (x.dtype == DType::f32 || x.dtype == DType::f64) return;
  if (x.device != Device::cpu && is_half(x.dtype)) return;
  type_error(name, " must be float32 or float64, got ", dtype_text(x));
}

void Check::floating(const Array& x, const char* name, int rank, const char* axes) const {
  floating(x, name);
  require(x.shape.rank == rank, name, " must be ", axes, " with ", rank, " axes, got shape ", text(x.shape));
}

void Check::same_device(const Array& x, const char* x_name, const Array& y, const char* y_name) const {
  require(x.device == y.device, x_name, " is on ", name_of(x.device), " but ", y_name, " is on ", name_of(y.device),
          "; move one of them with .to()");
}

void Check::alike(const Array& x, const char* x_name, const Array& y, const char* y_name) const {
  same_device(x, x_name, y, y_name);
  if (x.dtype != y.dtype)
    type_error(x_name, " is ", name_of(x.dtype), " but ", y_name, " is ", name_of(y.dtype), "; cast one of them");
}

void Check::same_shape(const Array& x, const char* x_name, const Array& y, const char* y_name) const {
  require(x.shape == y.shape, x_name, " is ", text(x.shape), " but ", y_name, " is ", text(y.shape),
          "; the shapes must be equal");
}

void Check::has_shape(const Array& x, const char* name, const Shape& expected) const {
  require(x.shape == expected, name, " must be ", text(expected), ", got ", text(x.shape));
}

void Check::int64(const Array& x, const char* name) const {
  array(x, name);
  if (x.dtype != DType::i64) type_error(name, " must be int64, got ", dtype_text(x));
}

void Check::nchw(const Array& x, const char* name) const {
  floating(x, name, 4, "(N, C, H, W)");
  require(x.shape.size(1, 4) > 0, name, " has an empty axis: only N may be 0, got shape ", text(x.shape));
}

const Shape& Check::input_nchw(const ShapeArg& arg, const char* name) const {
  const Shape& v = shape(arg, name);
  require(v.rank == 4, name, " must be (N, C, H, W), got ", text(v));
  require(v[0] >= 0 && v[1] > 0 && v[2] > 0 && v[3] > 0, name, " has an empty axis: only N may be 0, got ", text(v));
  return v;
}

void Check::channels(const Array& v, const char* name, const Array& x, std::int64_t channels) const {
  floating(v, name);
  alike(x, "x", v, name);
  has_shape(v, name, Shape{channels});
}

void Check::parameter(const Array& v, const char* name, const Array& x, const Shape& shape) const {
  floating(v, name);
  same_device(x, "x", v, name);
  if (is_half(x.dtype) && v.dtype != parameter_dtype(x.dtype))
    type_error(name, " must be ", name_of(parameter_dtype(x.dtype)), " beside x of ", name_of(x.dtype), ", got ",
               name_of(v.dtype));
  if (!is_half(x.dtype)) alike(x, "x", v, name);
  has_shape(v, name, shape);
}

void Check::in_place(const Target& target, const char* name, const Shape& shape, const Array& x,
                     const char* x_name) const {
  floating(target, name);
  same_device(x, x_name, target, name);
  if (target.dtype != x.dtype)
    type_error(name, " is ", name_of(target.dtype), " but ", name_of(x.dtype), " is expected");
  has_shape(target, name, shape);
  require(target.writeable, name, " is updated in place but is read-only");
  require(target.contiguous, name, " is updated in place and must be C-contiguous");
}

void Check::apart(const Array& x, const char* x_name, const Array& y, const char* y_name) const {
  require(disjoint(x, y), x_name, " shares memory with ", y_name);
}

Array Check::output(const MaybeTarget& out, const Wanted& wanted, const Array& like,
                    std::initializer_list<const Array*> inputs, bool elementwise, const char* name) const {
  if (!out) return allocate(wanted.shape, wanted.dtype, like.device);
  const Array y = *out;
  array(y, name);
  same_device(like, "the input", y, name);
  if (y.dtype != wanted.dtype) type_error(name, " must be ", name_of(wanted.dtype), ", got ", dtype_text(y));
  has_shape(y, name, wanted.shape);
  require(out->writeable, name, " is read-only");
  require(out->contiguous, name, " must be C-contiguous");
  for (const Array* x : inputs)
    if (!(elementwise && x->data == y.data && x->bytes() == y.bytes())) apart(y, name, *x, "an input");
  return y;
}

Arrays Check::outputs(const MaybeTargets& out, const std::vector<Wanted>& wanted, const Array& like,
                      std::initializer_list<const Array*> inputs, bool elementwise) const {
  Arrays results;
  if (out) {
    if (!out->unfit.empty()) type_error("out must be a tuple of ", wanted.size(), " arrays, got ", out->unfit);
    require(out->items.size() == wanted.size(), "out must be a tuple of ", wanted.size(), " arrays, got ",
            out->items.size());
    results.object = out->object;
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::string name = "out[" + std::to_string(i) + "]";
    const MaybeTarget target = out ? out->items[i] : MaybeTarget{};
    results.items.push_back(output(target, wanted[i], like, inputs, elementwise && i == 0, name.c_str()));
    if (!target) results.object = nullptr;  // some of it is new
    for (std::size_t j = 0; target && j < i; ++j)
      apart(results.items[i], name.c_str(), results.items[j], "another result");
  }
  return results;
}

}  // namespace convolith

// Streams and events of a device.
#include "../graph.hpp"
#include "../ops/check.hpp"
#include "bindings.hpp"

namespace convolith::bindings {
namespace {

Device with_streams(const Text& device) {
  const Check check("stream");
  const Device d = check.device(device);
  check.require(d != Device::cpu, "the CPU has no streams; device must be 'cuda' or 'emu'");
  return d;
}

// A stream, which is destroyed with its last holder.
struct Stream {
  const Device device;
  const Streams& streams;
  std::shared_ptr<void> handle;

  explicit Stream(const Text& name)
      : device(with_streams(name)), streams(runtime(device).streams), handle(streams.create(), streams.destroy) {}
  void synchronize() const {
    refuse_capture(device, "waiting for a stream");
    streams.synchronize(handle.get());
  }
  // Makes it the thread's current one; gives the one before, for restore().
  std::uintptr_t use() const {
    refuse_capture(device, "work for another stream");
    void* before = streams.current();
    streams.use(handle.get());
    return reinterpret_cast<std::uintptr_t>(before);
  }
  void restore(std::uintptr_t before) const { streams.use(reinterpret_cast<void*>(before)); }
};

struct Event {
  const Device device;
  const Streams& streams;
  std::shared_ptr<void> handle;
  bool recorded = false;

  explicit Event(const Text& name)
      : device(with_streams(name)),
        streams(runtime(device).streams),
        handle(streams.create_event(), streams.destroy_event) {}
  void record() {
    refuse_capture(device, "an event");
    streams.record(handle.get());
    recorded = true;
  }
  void wait() const {
    refuse_capture(device, "waiting for an event");
    if (recorded) streams.wait(handle.get());
  }
  void synchronize() const {
    refuse_capture(device, "waiting for an event");
    if (recorded) streams.synchronize_event(handle.get());
  }
  double elapsed_time(const Event& end) const {
    const Check check("elapsed_time");
    check.require(device == end.device, "the events are of different devices");
    check.require(recorded && end.recorded, "both events must have been recorded");
    end.synchronize();
    return streams.milliseconds(handle.get(), end.handle.get());
  }
};

}  // namespace

void register_stream(py::module_& m) {
  const py::call_guard<py::gil_scoped_release> unlocked;
  py::class_<Stream>(m, "Stream")
      .def(py::init<const Text&>(), "device"_a = "cuda")
      .def("synchronize", &Stream::synchronize, unlocked)
      .def("use", &Stream::use)
      .def("restore", &Stream::restore)
      .def_property_readonly("handle",
                             [](const Stream& s) { return reinterpret_cast<std::uintptr_t>(s.handle.get()); });
  py::class_<Event>(m, "Event")
      .def(py::init<const Text&>(), "device"_a = "cuda")
      .def("record", &Event::record)
      .def("wait", &Event::wait)
      .def("synchronize", &Event::synchronize, unlocked)
      .def("elapsed_time", &Event::elapsed_time, "end"_a, unlocked);
}

}  // namespace convolith::bindings

// Streams and events of a device.
#include "../ops/check.hpp"
#include "bindings.hpp"

namespace convolith::bindings {
namespace {

const Streams& streams_of(const Text& device) {
  const Check check("stream");
  const Device d = check.device(device);
  check.require(d != Device::cpu, "the CPU has no streams; device must be 'cuda' or 'emu'");
  return runtime(d).streams;
}

// A stream, which is destroyed with its last holder.
struct Stream {
  const Streams& streams;
  std::shared_ptr<void> handle;

  explicit Stream(const Text& device) : streams(streams_of(device)), handle(streams.create(), streams.destroy) {}
  void synchronize() const { streams.synchronize(handle.get()); }
};

struct Event {
  const Streams& streams;
  std::shared_ptr<void> handle;
  bool recorded = false;

  explicit Event(const Text& device)
      : streams(streams_of(device)), handle(streams.create_event(), streams.destroy_event) {}
  void record() {
    streams.record(handle.get());
    recorded = true;
  }
  void wait() const {
    if (recorded) streams.wait(handle.get());
  }
  void synchronize() const {
    if (recorded) streams.synchronize_event(handle.get());
  }
  double elapsed_time(const Event& end) const {
    const Check check("elapsed_time");
    check.require(&streams == &end.streams, "the events are of different devices");
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
      // Makes it the thread's current one; gives the handle of the one before, for restore().
      .def("use",
           [](const Stream& s) {
             void* before = s.streams.current();
             s.streams.use(s.handle.get());
             return reinterpret_cast<std::uintptr_t>(before);
           })
      .def("restore", [](const Stream& s, std::uintptr_t before) { s.streams.use(reinterpret_cast<void*>(before)); })
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

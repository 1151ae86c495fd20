// The control protocol, from both sides, and pod.json, which lies on the volume.
#include "podctl/base/error.hpp"

#include "control_protocol.hpp"
#include "pod_record.hpp"
#include "support.hpp"

namespace {

using namespace podctl;
using namespace podctl::serve;
using fuzz::expect;

void read_a_request(std::string_view input) {
    const auto request = protocol::request_of(input);
    expect(protocol::request_of(protocol::text_of(request)).command == request.command);
}

void read_an_answer(std::string_view input) {
    protocol::check(input);
}

void read_a_status(std::string_view input) {
    protocol::answer(protocol::status_of(input));
}

void read_what_restarted(std::string_view input) {
    protocol::restarted_of(input);
}

void read_a_record(std::string_view input) {
    const auto file = fuzz::scratch().file("pod.json", input);
    find_running_pod(file);
    // Nothing that runs here was started by the pod that the record speaks of.
    expect(find_left_services(file, [](const std::string&) {}).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr void (*readers[])(std::string_view) = {
        read_a_request, read_an_answer, read_a_status, read_what_restarted, read_a_record};
    try {
        fuzz::dispatch(readers, data, size);
    } catch (const Error& error) {
        expect(error.kind() != ErrorKind::internal);
    }
    return 0;
}

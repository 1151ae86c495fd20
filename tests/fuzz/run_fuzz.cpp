// The journal, which lies on a volume that others may have written to.
#include "podctl/base/error.hpp"
#include "podctl/run/journal.hpp"

#include "support.hpp"

// Whatever it holds, it is read, goes on, and keeps what is put into it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace podctl;
    const auto path = fuzz::scratch().file("journal", {reinterpret_cast<const char*>(data), size});
    const run::Record record{.fingerprint = "f", .facts = {{"size", "1"}}};
    try {
        run::Journal journal{path};
        journal.find("model:a");
        journal.put("model:b", record);
        journal.erase("model:a");
        fuzz::expect(run::Journal{path}.find("model:b") == record);
    } catch (const Error& error) {
        fuzz::expect(error.kind() != ErrorKind::internal);
    }
    return 0;
}

#pragma once

#include "output.hpp"
#include "run_ledger.hpp"

#include <cstddef>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace podctl::cli {

// What runs, as lines at the bottom of the terminal that are drawn again; what has ended scrolls
// up.
class LiveSink : public EventSink {
public:
    explicit LiveSink(const OutputOptions& options);
    ~LiveSink() override;

    void emit(const Event& event) override;

private:
    void paint(const std::stop_token& stop);
    void draw();
    std::string erasure() const;

    const Verbosity verbosity_;
    const bool color_out_, color_err_;
    std::mutex mutex_;
    Meter meter_;
    RunLedger ledger_;
    std::vector<std::size_t> drawn_;  // widths of the lines
    std::jthread painter_;
};

}  // namespace podctl::cli

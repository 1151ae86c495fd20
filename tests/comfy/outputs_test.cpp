#include "outputs.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace podctl::comfy {
namespace {

using namespace std::chrono_literals;

// A pack that shows a text for each of its frames: comparing each with all others took minutes.
TEST(Outputs, AreToldAsManyAsThereAreInTime) {
    constexpr std::size_t many = 90'000;
    auto texts = json::array();
    for (std::size_t i = 0; i < many; ++i)
        texts.push_back("frame " + std::to_string(i));
    const json entry{{"outputs", {{"9", {{"text", std::move(texts)}}}}}};
    http::Client http;
    const Client client{http, "http://127.0.0.1:1", Client::Clock::now() + 1min, {}};
    RunReport report;
    const auto begin = Client::Clock::now();
    fetch_outputs(entry, json::object(), client, {}, report);
    EXPECT_LT(Client::Clock::now() - begin, 10s);
    EXPECT_EQ(report.outputs.size(), many);
}

}  // namespace
}  // namespace podctl::comfy

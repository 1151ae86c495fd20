#include "podctl/base/thread.hpp"

#include <gmock/gmock.h>

#include <future>
#include <new>
#include <string>

namespace podctl {
namespace {

using testing::HasSubstr;

template <class Thrown>
Error failure_of(Thrown thrown) {
    std::promise<std::exception_ptr> told;
    start_thread([&](const std::stop_token&) { throw thrown; },
                 [&](const std::exception_ptr& failure) { told.set_value(failure); });
    return as_error(told.get_future().get());
}

TEST(Thread, HandsOnWhateverItsWorkThrows) {
    EXPECT_EQ(failure_of(Error{ErrorKind::network, "gone"}).message(), "gone");
    EXPECT_EQ(failure_of(std::bad_alloc{}).kind(), ErrorKind::internal);
    EXPECT_THAT(failure_of(7).message(), HasSubstr("no exception"));
}

TEST(Thread, OutlivesAFailureThatCannotBeHandedOn) {
    int ran = 0;
    start_thread([](const std::stop_token&) { throw std::bad_alloc{}; },
                 [&](const std::exception_ptr&) {
                     ++ran;
                     throw std::bad_alloc{};
                 })
        .join();
    EXPECT_EQ(ran, 1);
}

TEST(Thread, SeesTheStopThatIsRequestedOfIt) {
    auto thread = start_thread(
        [](const std::stop_token& stop) {
            std::promise<void> stopped;
            const std::stop_callback on_stop(stop, [&] { stopped.set_value(); });
            stopped.get_future().wait();
        },
        [](const std::exception_ptr&) {});
    thread.request_stop();
    thread.join();
}

}  // namespace
}  // namespace podctl

#pragma once

#include "podctl/base/error.hpp"

#include <gtest/gtest.h>

namespace podctl::test {

// The error that `action` ends in, so that a test can look at its kind, message and hint. None
// fails the test.
template <class Action>
Error error_of(Action action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    ADD_FAILURE() << "no error was thrown";
    return {ErrorKind::internal, "no error was thrown"};
}

}  // namespace podctl::test

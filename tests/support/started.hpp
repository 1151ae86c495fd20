#pragma once

namespace podctl::test {

// Ends everything that this test has started and that still runs: a podctl, its services,
// installers and their own children, in whatever session or group they are. It is known by a
// variable that each test program sets for itself, so nobody else's process is ever met. Nobody
// has to call it: whatever a test does (ASSERT, an exception), it is called after it, and when the
// test program itself dies.
void end_what_was_started();

}  // namespace podctl::test

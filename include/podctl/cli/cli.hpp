#pragma once

namespace podctl::cli {

// Runs the command line and returns the exit code (spec §3). Errors of every kind are told on
// stderr, or as JSON with --output json; nothing is thrown.
int main(int argc, char** argv);

}  // namespace podctl::cli

#include "podctl/cli/cli.hpp"

int main(int argc, char** argv) {
    return podctl::cli::main(argc, argv);
}

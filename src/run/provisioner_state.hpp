#pragma once

#include "podctl/run/provision.hpp"

#include "context.hpp"

namespace podctl::run {

struct Provisioner::State {
    Context context;
};

}  // namespace podctl::run

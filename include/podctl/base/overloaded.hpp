#pragma once

namespace podctl {

// A visitor for std::visit, of one function per alternative.
template <class... Visitors>
struct overloaded : Visitors... {
    using Visitors::operator()...;
};
template <class... Visitors>
overloaded(Visitors...) -> overloaded<Visitors...>;

}  // namespace podctl

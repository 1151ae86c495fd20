#include "podctl/base/thread.hpp"

namespace podctl {

Error as_error(const std::exception_ptr& caught) {
    try {
        std::rethrow_exception(caught);
    } catch (const std::exception& known) {
        return as_error(known);
    } catch (...) {
        return Error{ErrorKind::internal, "unexpected: something that is no exception was thrown",
                     "this is a fault of podctl: please report it"};
    }
}

}  // namespace podctl

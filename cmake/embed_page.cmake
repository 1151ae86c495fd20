# Writes OUT: the text of PAGE as podctl::serve::progress_page_html returns it.
file(READ ${PAGE} content)
file(WRITE ${OUT} "// Generated from src/serve/progress_page.html by cmake/embed_page.cmake.
#include \"progress_server.hpp\"

namespace podctl::serve {
std::string_view progress_page_html() {
    return R\"~page~(${content})~page~\";
}
}  // namespace podctl::serve
")

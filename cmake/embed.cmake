# Writes OUT: a table of FILES (name, text) as podctl::cli::embedded_gallery reads it.
set(text "// Generated from templates/*.yaml by cmake/embed.cmake.\n#include \"gallery.hpp\"\n\nnamespace podctl::cli {\nconst std::vector<GalleryEntry>& embedded_gallery() {\n    static const std::vector<GalleryEntry> entries = {\n")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} content)
  string(APPEND text "        {\"${name}\", R\"~gallery~(${content})~gallery~\"},\n")
endforeach()
string(APPEND text "    };\n    return entries;\n}\n}  // namespace podctl::cli\n")
file(WRITE ${OUT} "${text}")

# What every target is built with.
add_library(podctl_options INTERFACE)
target_compile_options(podctl_options INTERFACE -Wall -Wextra -Wconversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Warns of std::string's own operator+ (https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105651).
  target_compile_options(podctl_options INTERFACE -Wno-restrict)
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # Warns of every class with a member of a type of its own file's, since that file is included now.
  target_compile_options(podctl_options INTERFACE -Wno-subobject-linkage)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  # Warns of the initialisers that libgit2's own macros give.
  target_compile_options(podctl_options INTERFACE -Wno-missing-field-initializers)
endif()
target_compile_definitions(podctl_options INTERFACE PODCTL_VERSION="${PROJECT_VERSION}")
target_link_libraries(podctl_options INTERFACE Threads::Threads)
if(PODCTL_SANITIZE)
  target_compile_options(podctl_options INTERFACE -fsanitize=${PODCTL_SANITIZE} -fno-omit-frame-pointer
                                                  -fno-sanitize-recover=undefined)
  target_link_options(podctl_options INTERFACE -fsanitize=${PODCTL_SANITIZE})
endif()
if(PODCTL_HARDEN)
  include(cmake/hardening.cmake)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  target_compile_options(podctl_options INTERFACE ${HARDENING_COMPILE} $<$<COMPILE_LANGUAGE:CXX>:${HARDENING_COMPILE_CXX}>)
  target_link_options(podctl_options INTERFACE ${HARDENING_LINK})
  # For scripts/check_hardening.
  add_executable(hardening_sample EXCLUDE_FROM_ALL cmake/hardening_sample.cpp)
  target_link_libraries(hardening_sample PRIVATE podctl_options)
endif()

# podctl_room(NAME USES room... PRIVATE library...)
# One static library per room: its inside is src/NAME/*.cpp, what it shows is include/podctl/NAME/. The compiler finds
# the headers of the rooms that it uses and no others, since each room has an include folder of its own.
function(podctl_room name)
  cmake_parse_arguments(ROOM "" "" "USES;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp
       ${CMAKE_SOURCE_DIR}/src/${name}/*/*.cpp)
  add_library(podctl_${name} STATIC ${sources})
  set(shown ${CMAKE_BINARY_DIR}/rooms/${name})
  file(MAKE_DIRECTORY ${shown}/podctl)
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/include/podctl/${name} ${shown}/podctl/${name} SYMBOLIC)
  target_include_directories(podctl_${name} PUBLIC ${shown} PRIVATE ${CMAKE_SOURCE_DIR}/src/${name})
  list(TRANSFORM ROOM_USES PREPEND podctl_)
  target_link_libraries(podctl_${name} PUBLIC ${ROOM_USES} PRIVATE ${ROOM_PRIVATE} podctl_options)
endfunction()

# The gallery travels inside the binary: templates/*.yaml and the quickstart's files become one generated source.
function(podctl_embed_gallery target)
  file(GLOB gallery CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/templates/*.yaml)
  set(out ${CMAKE_BINARY_DIR}/gallery.cpp)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} "-DFILES=${gallery}" -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${gallery} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()

# podctl_embed_text(TARGET FILE FUNCTION HEADER): FILE's text travels inside the binary; FUNCTION, declared in
# HEADER of the target's room, returns it.
function(podctl_embed_text target file function header)
  get_filename_component(name ${file} NAME)
  set(out ${CMAKE_BINARY_DIR}/${name}.cpp)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DFILE=${CMAKE_SOURCE_DIR}/${file} -DFUNCTION=${function} -DHEADER=${header}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_text.cmake
    DEPENDS ${CMAKE_SOURCE_DIR}/${file} ${CMAKE_SOURCE_DIR}/cmake/embed_text.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()

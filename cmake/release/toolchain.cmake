# zig's clang and libc++ for the release: glibc from 2.28 on. scripts/release names the tools and the prefix
# in the environment, so that the many small projects that CMake makes of its own see them too.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $ENV{RELEASE_ARCH})
set(CMAKE_C_COMPILER $ENV{RELEASE_TOOLS}/cc)
set(CMAKE_CXX_COMPILER $ENV{RELEASE_TOOLS}/c++)
set(CMAKE_AR $ENV{RELEASE_TOOLS}/ar)
set(CMAKE_RANLIB $ENV{RELEASE_TOOLS}/ranlib)

# What this machine has installed stays out of the binary.
set(CMAKE_FIND_ROOT_PATH $ENV{RELEASE_PREFIX})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} $ENV{RELEASE_PREFIX}/lib/pkgconfig)

# Kept libraries, from the distribution's packages (scripts/setup installs them).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(toml11 REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
# By pkg-config, which knows what a static one needs besides.
pkg_check_modules(libarchive REQUIRED IMPORTED_TARGET libarchive)
# Callbacks return MHD_Result since 0.9.71.
pkg_check_modules(libmicrohttpd REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.71)
# Shallow fetch came with libgit2 1.7.
pkg_check_modules(libgit2 REQUIRED IMPORTED_TARGET libgit2>=1.7)

# yaml-cpp 0.7 exports yaml-cpp, 0.8 yaml-cpp::yaml-cpp.
if(TARGET yaml-cpp::yaml-cpp)
  set(PODCTL_YAML_CPP yaml-cpp::yaml-cpp)
else()
  set(PODCTL_YAML_CPP yaml-cpp)
endif()

# What makes an overrun or a forged pointer end podctl instead of serving whoever sent it. This is the only list: the
# build has it from here (Release, without sanitizers), and so have the release's libraries: scripts/release asks by
#   cmake -DARCH=x86_64 -P cmake/hardening.cmake
# scripts/check_hardening looks whether a binary has it.
set(HARDENING_COMPILE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 # glibc before 2.34 takes 3 for 2
    -fstack-protector-strong -fstack-clash-protection)
# Bounds of vector, span, string, optional: libstdc++'s and libc++'s word for it. zig has set the latter already.
set(HARDENING_COMPILE_CXX -D_GLIBCXX_ASSERTIONS
    -U_LIBCPP_HARDENING_MODE -D_LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_FAST)
set(HARDENING_LINK -pie -Wl,-z,relro,-z,now)

if(NOT ARCH)
  set(ARCH ${CMAKE_SYSTEM_PROCESSOR})
endif()
if(ARCH MATCHES "^(x86_64|AMD64)$")
  list(APPEND HARDENING_COMPILE -fcf-protection)
elseif(ARCH MATCHES "^(aarch64|arm64)$")
  list(APPEND HARDENING_COMPILE -mbranch-protection=standard)
endif()

if(CMAKE_SCRIPT_MODE_FILE)
  list(JOIN HARDENING_COMPILE " " words)
  list(JOIN HARDENING_COMPILE_CXX " " more)
  if(CXX)
    string(APPEND words " ${more}")
  endif()
  execute_process(COMMAND ${CMAKE_COMMAND} -E echo "${words}")
endif()

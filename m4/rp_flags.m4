dnl SPDX-License-Identifier: Apache-2.0

dnl RP_CFLAG(flag): add it to RP_CFLAGS when the compiler and linker take it without a word.
AC_DEFUN([RP_CFLAG], [
  rp_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $1"
  AC_MSG_CHECKING([whether $CC takes $1])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); RP_CFLAGS="$RP_CFLAGS $1"], [AC_MSG_RESULT([no])])
  CFLAGS=$rp_save_CFLAGS
])

dnl RP_LDFLAG(flag): the same for RP_LDFLAGS.
AC_DEFUN([RP_LDFLAG], [
  rp_save_LDFLAGS=$LDFLAGS
  LDFLAGS="$LDFLAGS $1"
  AC_MSG_CHECKING([whether the linker takes $1])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); RP_LDFLAGS="$RP_LDFLAGS $1"], [AC_MSG_RESULT([no])])
  LDFLAGS=$rp_save_LDFLAGS
])

dnl RP_SANITIZE(flag, option): a sanitizer that was asked for must be there.
AC_DEFUN([RP_SANITIZE], [
  rp_before=$RP_CFLAGS
  RP_CFLAG([$1])
  AS_IF([test "x$RP_CFLAGS" = "x$rp_before"],
    [AC_MSG_ERROR([$2: $CC can not link a program with $1. Debian: the run-time is in gcc itself, for clang in libclang-rt-14-dev. Red Hat: libasan, libubsan, libtsan, compiler-rt])])
  RP_CFLAGS="$RP_CFLAGS -fno-omit-frame-pointer"
])

dnl RP_LTO: the modules are optimised as a whole where nothing speaks against it. Their objects are ordinary ones too, so that tests
dnl link quickly. RP_LTO_CFLAGS counts for our sources alone: make asks which file it compiles.
AC_DEFUN([RP_LTO], [
  RP_LTO_CFLAGS= RP_LTO_LDFLAGS= RP_NO_LTO_LDFLAGS=
  AS_CASE([" $CFLAGS $enable_lto$enable_debug$enable_asan$enable_tsan$enable_coverage$enable_fuzzing "],
    [*" autononononono "*], [rp_lto=yes],
    [*" yesnonononono "*], [rp_lto=yes],
    [rp_lto=no])
  AS_CASE([" $CFLAGS "], [*" -O0 "*], [rp_lto=no], [*" -O"*], [], [rp_lto=no])
  AS_IF([test "$rp_lto" = yes], [
    rp_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror -flto=auto -ffat-lto-objects"
    AC_MSG_CHECKING([whether $CC optimises while it links])
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [], [rp_lto=no])
    AC_MSG_RESULT([$rp_lto])
    CFLAGS=$rp_save_CFLAGS
  ])
  AS_IF([test "$rp_lto" = yes], [
    RP_LTO_CFLAGS='$(if $(filter src/%,$[]@),-flto=auto -ffat-lto-objects)'
    RP_LTO_LDFLAGS=-flto=auto
    RP_NO_LTO_LDFLAGS=-fno-lto
  ], [test "x$enable_lto" = xyes], [
    AC_MSG_ERROR([--enable-lto: $CC can not do it (gcc 10 or later can), or there is no -O in CFLAGS, or --enable-debug, a sanitizer, coverage or fuzzing excludes it])
  ])
  AC_SUBST([RP_LTO_CFLAGS])
  AC_SUBST([RP_LTO_LDFLAGS])
  AC_SUBST([RP_NO_LTO_LDFLAGS])
])

dnl RP_FLAGS: warnings, hardening, sanitizers, coverage.
AC_DEFUN([RP_FLAGS], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])], [], [enable_werror=no])
  AC_ARG_ENABLE([debug], [AS_HELP_STRING([--enable-debug], [no optimisation, checks of our own assumptions stop the process])],
    [], [enable_debug=no])
  AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan], [address and undefined behaviour sanitizers])], [], [enable_asan=no])
  AC_ARG_ENABLE([tsan], [AS_HELP_STRING([--enable-tsan], [thread sanitizer])], [], [enable_tsan=no])
  AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [line coverage by gcov])], [], [enable_coverage=no])
  AC_ARG_ENABLE([fuzzing],
    [AS_HELP_STRING([--enable-fuzzing], [fuzz targets run by libFuzzer, with both sanitizers; needs CC=clang])],
    [], [enable_fuzzing=no])
  AC_ARG_ENABLE([lto], [AS_HELP_STRING([--disable-lto], [no optimisation of the modules as a whole when they are linked])],
    [], [enable_lto=auto])
  AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening], [no hardening flags])], [], [enable_hardening=yes])
  AS_IF([test "x$enable_tsan" = xyes && test "x$enable_asan$enable_fuzzing" != xnono],
    [AC_MSG_ERROR([--enable-tsan can not be combined with --enable-asan or --enable-fuzzing: use two build directories])])

  RP_CFLAGS="-std=gnu11 -Wall -Wextra -fvisibility=hidden"
  RP_LDFLAGS=
  FUZZ_LDFLAGS=
  RP_CFLAG([-Wshadow])
  RP_CFLAG([-Wstrict-prototypes])
  RP_CFLAG([-Wmissing-prototypes])
  RP_CFLAG([-Wpointer-arith])
  RP_CFLAG([-Wformat=2])
  RP_CFLAG([-Wundef])
  RP_CFLAG([-fno-plt]) dnl all symbols are bound when a module is loaded, so nothing has to go through a table of stubs
  dnl gcc fills and copies some hundred bytes, as each request has them, by string instructions; libc's functions take half the time
  RP_CFLAG([-mmemset-strategy=libcall:-1:noalign])
  RP_CFLAG([-mmemcpy-strategy=libcall:-1:noalign])
  AS_IF([test "x$enable_debug" = xyes], [RP_CFLAGS="$RP_CFLAGS -O0 -g3 -DRP_DEBUG=1"])
  AS_IF([test "x$enable_hardening" = xyes], [
    RP_CFLAG([-fstack-protector-strong])
    RP_CFLAG([-fstack-clash-protection])
    RP_CFLAG([-fcf-protection])
    dnl without optimisation glibc only warns about it, and the sanitizers do the same work better
    AS_CASE([" $CFLAGS $enable_debug$enable_asan$enable_tsan$enable_fuzzing "],
      [*yes*|*" -O0 "*], [],
      [*" -O"*], [RP_CFLAGS="$RP_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])
    RP_LDFLAG([-Wl,-z,relro])
    RP_LDFLAG([-Wl,-z,now])
    RP_LDFLAG([-Wl,-z,noexecstack])
  ])
  RP_PLAIN_CFLAGS=$RP_CFLAGS
  AS_IF([test "x$enable_asan" = xyes], [RP_SANITIZE([-fsanitize=address,undefined], [--enable-asan])])
  AS_IF([test "x$enable_tsan" = xyes], [RP_SANITIZE([-fsanitize=thread], [--enable-tsan])])
  AS_IF([test "x$enable_fuzzing" = xyes], [
    RP_SANITIZE([-fsanitize=fuzzer-no-link,address,undefined], [--enable-fuzzing])
    FUZZ_LDFLAGS=-fsanitize=fuzzer])
  AS_IF([test "x$enable_coverage" = xyes], [RP_CFLAGS="$RP_CFLAGS --coverage"])
  AM_CONDITIONAL([FUZZING], [test "x$enable_fuzzing" = xyes])
  AS_IF([test "x$enable_werror" = xyes], [RP_CFLAGS="$RP_CFLAGS -Werror"])
  AC_SUBST([RP_CFLAGS])
  dnl without sanitizers and coverage
  AC_SUBST([RP_PLAIN_CFLAGS])
  AC_SUBST([RP_LDFLAGS])
  AC_SUBST([FUZZ_LDFLAGS])
  RP_LTO
])

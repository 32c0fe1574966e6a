dnl SPDX-License-Identifier: Apache-2.0

dnl RP_MISSING(what, debian package, red hat package): stop and name the packages that hold what is missing.
AC_DEFUN([RP_MISSING],
  [AC_MSG_ERROR([$1 not found. Debian: apt-get install $2. Red Hat: dnf install $3. (./scripts/install-deps.sh does it on Debian.)])])

dnl RP_WANTED(what, debian package, red hat package): the same for what only the tests need.
AC_DEFUN([RP_WANTED],
  [AC_MSG_WARN([$1 not found: make check will fail. Debian: apt-get install $2. Red Hat: dnf install $3.])])

dnl RP_APXS: which apxs, hence which httpd. Before AC_PROG_CC, since apxs names the compiler.
AC_DEFUN([RP_APXS], [
  AC_ARG_WITH([apxs], [AS_HELP_STRING([--with-apxs=PATH], [apxs of the httpd to build for])],
    [APXS=$withval], [APXS=yes])
  AS_IF([test "x$APXS" = xyes || test "x$APXS" = xno],
    [AC_PATH_PROGS([APXS_FOUND], [apxs apxs2], [apxs], [$PATH:/usr/sbin:/usr/local/apache2/bin])
     APXS=$APXS_FOUND])
  AS_IF([test ! -x "$APXS"], [RP_MISSING([$APXS], [apache2-dev], [httpd-devel])])
  AC_MSG_CHECKING([whether $APXS works])
  AS_IF([rp_includedir=`"$APXS" -q INCLUDEDIR 2>&1` && test -d "$rp_includedir"], [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR(["$APXS -q INCLUDEDIR" answered "$rp_includedir", which is no directory; point --with-apxs at the apxs of an installed httpd])])
  AC_SUBST([APXS])
  AS_IF([test -z "$CC"], [
    rp_cc=`"$APXS" -q CC 2>/dev/null`
    rp_cc_program=`echo "$rp_cc" | sed 's/ .*//'`
    AS_IF([test -n "$rp_cc" && command -v "$rp_cc_program" >/dev/null 2>&1], [CC=$rp_cc])])
])

dnl RP_HTTPD: paths and preprocessor flags of httpd, APR and APR-util; the programs; the version of the headers.
AC_DEFUN([RP_HTTPD], [
  APXS_INCLUDEDIR=`"$APXS" -q INCLUDEDIR`
  APXS_LIBEXECDIR=`"$APXS" -q LIBEXECDIR`
  HTTPD=`"$APXS" -q SBINDIR`/`"$APXS" -q progname`
  APR_CONFIG=`"$APXS" -q APR_CONFIG 2>/dev/null`
  APU_CONFIG=`"$APXS" -q APU_CONFIG 2>/dev/null`
  AS_IF([test ! -x "$APR_CONFIG"], [APR_CONFIG=; AC_PATH_PROG([APR_CONFIG], [apr-1-config], [no])])
  AS_IF([test ! -x "$APU_CONFIG"], [APU_CONFIG=; AC_PATH_PROG([APU_CONFIG], [apu-1-config], [no])])
  AS_IF([test "x$APR_CONFIG" = xno], [RP_MISSING([apr-1-config], [libapr1-dev], [apr-devel])])
  AS_IF([test "x$APU_CONFIG" = xno], [RP_MISSING([apu-1-config], [libaprutil1-dev], [apr-util-devel])])

  HTTPD_CPPFLAGS="-I$APXS_INCLUDEDIR `$APR_CONFIG --includes --cppflags` `$APU_CONFIG --includes`"
  rp_apxs_flags=`"$APXS" -q NOTEST_CPPFLAGS EXTRA_CPPFLAGS EXTRA_CFLAGS CFLAGS 2>/dev/null | tr ';' ' '`
  for rp_flag in $rp_apxs_flags; do
    AS_CASE([" $HTTPD_CPPFLAGS "], [*" $rp_flag "*], [continue])
    AS_CASE([$rp_flag], [-D_FORTIFY_SOURCE*], [continue], [-D*|-I*], [HTTPD_CPPFLAGS="$HTTPD_CPPFLAGS $rp_flag"])
  done
  dnl as system headers: their macros are not ours to warn about (/usr/include itself must stay where it is)
  HTTPD_CPPFLAGS=`echo " $HTTPD_CPPFLAGS " | $SED 's, -I, -isystem ,g; s, -isystem */usr/include/*  *, ,g'`
  HTTPD_LIBS="`$APU_CONFIG --link-ld` `$APR_CONFIG --link-ld`"
  AC_SUBST([APXS_LIBEXECDIR])
  AC_SUBST([APR_CONFIG])
  AC_SUBST([APU_CONFIG])
  AC_SUBST([HTTPD])
  AC_SUBST([HTTPD_CPPFLAGS])
  AC_SUBST([HTTPD_LIBS])

  AC_ARG_WITH([moduledir], [AS_HELP_STRING([--with-moduledir=DIR], [where the modules go (default: as apxs says)])],
    [moduledir=$withval], [moduledir=$APXS_LIBEXECDIR])
  AS_CASE([$moduledir], [/*|'$'*], [],
    [AC_MSG_ERROR([--with-moduledir="$moduledir" is not an absolute path])])
  AC_SUBST([moduledir])
  AC_ARG_WITH([headerdir], [AS_HELP_STRING([--with-headerdir=DIR], [where the headers for other modules go (default: as apxs says)])],
    [headerdir=$withval], [headerdir=$APXS_INCLUDEDIR])
  AS_CASE([$headerdir], [/*|'$'*], [],
    [AC_MSG_ERROR([--with-headerdir="$headerdir" is not an absolute path])])
  AC_SUBST([headerdir])

  rp_save_CPPFLAGS=$CPPFLAGS
  CPPFLAGS="$CPPFLAGS $HTTPD_CPPFLAGS"
  AC_CHECK_HEADER([httpd.h], [], [RP_MISSING([httpd.h], [apache2-dev], [httpd-devel])])
  AC_COMPUTE_INT([rp_patch], [AP_SERVER_PATCHLEVEL_NUMBER], [#include <ap_release.h>], [rp_patch=unknown])
  AC_COMPUTE_INT([rp_mmn_major], [MODULE_MAGIC_NUMBER_MAJOR], [#include <ap_mmn.h>], [rp_mmn_major=0])
  AC_COMPUTE_INT([rp_mmn_minor], [MODULE_MAGIC_NUMBER_MINOR], [#include <ap_mmn.h>], [rp_mmn_minor=0])
  CPPFLAGS=$rp_save_CPPFLAGS
  AC_MSG_CHECKING([for httpd 2.4.52 or newer])
  AC_MSG_RESULT([2.4.$rp_patch, module magic number $rp_mmn_major:$rp_mmn_minor])
  AS_IF([test "$rp_mmn_major" != 20120211 || test "$rp_mmn_minor" -lt 121],
    [AC_MSG_ERROR([the httpd headers in $APXS_INCLUDEDIR are 2.4.$rp_patch (module magic number $rp_mmn_major:$rp_mmn_minor). mod_rproxy builds for httpd 2.4.52 and newer (20120211:121 and up in its minor part): install a newer httpd, or point --with-apxs at its apxs])])
])

dnl RP_JANSSON: what the JSON API of mod_rproxy_balancer is made with.
AC_DEFUN([RP_JANSSON], [
  PKG_CHECK_MODULES([JANSSON], [jansson >= 2.11], [],
    [RP_MISSING([jansson (JSON, 2.11 or newer)], [libjansson-dev], [jansson-devel])])
])

dnl RP_TEST_TOOLS: what make check needs beyond the build. Each is looked for, none stops configure.
AC_DEFUN([RP_TEST_TOOLS], [
  AC_ARG_ENABLE([tests],
    [AS_HELP_STRING([--disable-tests], [do not look for what the tests need])], [], [enable_tests=yes])
  have_check=no have_libssl=no
  AC_PATH_PROG([PERL], [perl], [perl])
  AC_PATH_PROG([OPENSSL], [openssl], [no])
  AC_PATH_PROG([CURL], [curl], [no])
  AS_IF([test "x$enable_tests" = xyes], [RP_TEST_PARTS])
  AM_CONDITIONAL([HAVE_CHECK], [test $have_check = yes])
  AM_CONDITIONAL([HAVE_LIBSSL], [test $have_libssl = yes])
])

dnl RP_TEST_PARTS: a warning for each that is missing.
AC_DEFUN([RP_TEST_PARTS], [
  PKG_CHECK_MODULES([CHECK], [check >= 0.10], [have_check=yes],
    [have_check=no
     RP_WANTED([check (unit test framework)], [check], [check-devel])])
  PKG_CHECK_MODULES([LIBSSL], [openssl >= 3.0], [have_libssl=yes],
    [have_libssl=no
     RP_WANTED([libssl (TLS of the scripted backend)], [libssl-dev], [openssl-devel])])
  AC_MSG_CHECKING([for httpd itself])
  AS_IF([test -x "$HTTPD"], [AC_MSG_RESULT([$HTTPD])],
    [AC_MSG_RESULT([no])
     RP_WANTED([$HTTPD], [apache2-bin], [httpd])])
  for rp_module in "IO::Socket::SSL libio-socket-ssl-perl perl-IO-Socket-SSL" \
      "LWP::UserAgent libwww-perl perl-libwww-perl" "URI liburi-perl perl-URI"; do
    set dummy $rp_module
    AC_MSG_CHECKING([for the Perl module $][2])
    AS_IF(["$PERL" -M$][2 -e1 >/dev/null 2>&1], [AC_MSG_RESULT([yes])],
      [AC_MSG_RESULT([no])
       RP_WANTED([the Perl module $][2], [$][3], [$][4])])
  done
  AS_IF([test "x$OPENSSL" = xno], [RP_WANTED([openssl], [openssl], [openssl])])
  AS_IF([test "x$CURL" = xno], [RP_WANTED([curl], [curl], [curl])])
])

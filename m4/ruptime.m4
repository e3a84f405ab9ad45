# SPDX-License-Identifier: MIT

# RUPTIME_CC_FLAG(VARIABLE, FLAG)
# Append FLAG to VARIABLE if the compiler takes it without a complaint.
AC_DEFUN([RUPTIME_CC_FLAG], [
	AS_VAR_PUSHDEF([cache], [ruptime_cv_flag_$2])
	AC_CACHE_CHECK([whether $CC takes $2], [cache], [
		ruptime_saved_cflags=$CFLAGS
		CFLAGS="$CFLAGS -Werror $2"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
		CFLAGS=$ruptime_saved_cflags
	])
	AS_VAR_IF([cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
	AS_VAR_POPDEF([cache])
])

# RUPTIME_LD_FLAG(VARIABLE, FLAG)
# The same for the linker.
AC_DEFUN([RUPTIME_LD_FLAG], [
	AS_VAR_PUSHDEF([cache], [ruptime_cv_ldflag_$2])
	AC_CACHE_CHECK([whether the linker takes $2], [cache], [
		ruptime_saved_ldflags=$LDFLAGS
		LDFLAGS="$LDFLAGS $2"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
		LDFLAGS=$ruptime_saved_ldflags
	])
	AS_VAR_IF([cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
	AS_VAR_POPDEF([cache])
])

# RUPTIME_FORTIFY
# Add the highest level of _FORTIFY_SOURCE to HARDEN_CFLAGS, unless the user or the compiler sets one,
# or nothing is optimised. C libraries that do not know this level take it for the one below.
AC_DEFUN([RUPTIME_FORTIFY], [
	AC_CACHE_CHECK([whether to set _FORTIFY_SOURCE], [ruptime_cv_fortify], [
		AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
			#if defined(_FORTIFY_SOURCE) || !defined(__OPTIMIZE__)
			#error "leave it alone"
			#endif]])], [ruptime_cv_fortify=yes], [ruptime_cv_fortify=no])
	])
	AS_VAR_IF([ruptime_cv_fortify], [yes],
		[AS_VAR_APPEND([HARDEN_CFLAGS], [" -D_FORTIFY_SOURCE=3"])])
])

# RUPTIME_PIE
# Position-independent executables, so that the kernel can choose where they lie; static ones are
# another matter (-static-pie), and the user's.
AC_DEFUN([RUPTIME_PIE], [
	AS_CASE([" $LDFLAGS "], [*" -static"*], [], [
		ruptime_cflags_before=$HARDEN_CFLAGS
		RUPTIME_CC_FLAG([HARDEN_CFLAGS], [-fPIE])
		AS_IF([test "$HARDEN_CFLAGS" != "$ruptime_cflags_before"],
			[RUPTIME_LD_FLAG([HARDEN_LDFLAGS], [-pie])])
	])
])

# RUPTIME_YEAR2038
# What AC_SYS_YEAR2038 does, for versions of autoconf before 2.72: a time_t of 64 bits if the C
# library has one. AC_SYS_LARGEFILE comes first, which glibc insists on.
AC_DEFUN([RUPTIME_YEAR2038], [
	AC_CACHE_CHECK([whether time_t needs _TIME_BITS], [ruptime_cv_time_bits], [
		ruptime_saved_cppflags=$CPPFLAGS
		ruptime_cv_time_bits=no
		AC_COMPILE_IFELSE([RUPTIME_WIDE_TIME], [], [
			CPPFLAGS="$CPPFLAGS -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64"
			AC_COMPILE_IFELSE([RUPTIME_WIDE_TIME], [ruptime_cv_time_bits=yes], [])])
		CPPFLAGS=$ruptime_saved_cppflags
	])
	AS_IF([test "$ruptime_cv_time_bits" = yes],
		[AC_DEFINE([_TIME_BITS], [64], [Number of bits in time_t, where this is settable])])
])
m4_define([RUPTIME_WIDE_TIME],
	[AC_LANG_SOURCE([[#include <time.h>
		int wide_enough[sizeof(time_t) >= 8 ? 1 : -1];]])])

# RUPTIME_LIBATOMIC
# Link with libatomic where the compiler calls it for atomic numbers of 64 bits.
AC_DEFUN([RUPTIME_LIBATOMIC], [
	AC_CACHE_CHECK([for what atomic numbers of 64 bits need], [ruptime_cv_libatomic], [
		ruptime_saved_libs=$LIBS
		ruptime_cv_libatomic=unknown
		for library in '' -latomic; do
			LIBS="$library $ruptime_saved_libs"
			AS_IF([test "$ruptime_cv_libatomic" = unknown], [
				AC_LINK_IFELSE([AC_LANG_PROGRAM([[
						#include <stdatomic.h>
						#include <stdint.h>
						_Atomic uint64_t number;
						uint64_t before;]],
					[[atomic_fetch_add(&number, atomic_load(&number));
					  return !atomic_compare_exchange_weak(&number, &before, 1);
					]])], [ruptime_cv_libatomic=${library:-nothing}], [])])
		done
		LIBS=$ruptime_saved_libs
	])
	AS_CASE([$ruptime_cv_libatomic],
		[unknown], [AC_MSG_ERROR([no atomic numbers of 64 bits, not even with libatomic])],
		[nothing], [], [LIBS="$ruptime_cv_libatomic $LIBS"])
])

# RUPTIME_SANITIZER
# --with-sanitizer=LIST and --enable-fuzzing; fails if the tool chain cannot do what was asked.
AC_DEFUN([RUPTIME_SANITIZER], [
	AC_ARG_WITH([sanitizer],
		[AS_HELP_STRING([--with-sanitizer=LIST],
			[build with sanitizers: address,undefined or thread @<:@no@:>@])],
		[], [with_sanitizer=no])
	SANITIZER_CFLAGS=
	AS_CASE([$with_sanitizer],
		[no], [],
		[yes|''], [AC_MSG_ERROR([--with-sanitizer needs a list, such as address,undefined])],
		[SANITIZER_CFLAGS="-fsanitize=$with_sanitizer -fno-omit-frame-pointer"
		 AS_CASE([,$with_sanitizer,], [*,undefined,*],
			[SANITIZER_CFLAGS="$SANITIZER_CFLAGS -fno-sanitize-recover=undefined"])
		 AC_MSG_CHECKING([whether $CC can build with -fsanitize=$with_sanitizer])
		 ruptime_saved_cflags=$CFLAGS
		 CFLAGS="$CFLAGS $SANITIZER_CFLAGS"
		 AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])],
			[AC_MSG_RESULT([no])
			 AC_MSG_ERROR([$CC cannot build with -fsanitize=$with_sanitizer])])
		 CFLAGS=$ruptime_saved_cflags])
	FUZZ_LIBS=
	AS_IF([test "$enable_fuzzing" = yes], [
		SANITIZER_CFLAGS="$SANITIZER_CFLAGS -fsanitize=fuzzer-no-link"
		FUZZ_LIBS=-fsanitize=fuzzer
		AC_MSG_CHECKING([whether $CC has libFuzzer])
		ruptime_saved_cflags=$CFLAGS
		CFLAGS="$CFLAGS $FUZZ_LIBS"
		AC_LINK_IFELSE([AC_LANG_SOURCE([[
			int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long len);
			int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long len)
			{
				return !data && len;
			}]])], [AC_MSG_RESULT([yes])],
			[AC_MSG_RESULT([no])
			 AC_MSG_ERROR([--enable-fuzzing needs clang and its libFuzzer])])
		CFLAGS=$ruptime_saved_cflags
	])
	AC_SUBST([SANITIZER_CFLAGS])
	AC_SUBST([FUZZ_LIBS])
])

# RUPTIME_WITH(NAME, PREFIX, MODULE, PURPOSE)
# --with-NAME=auto|yes|no for an optional library: sets have_NAME, PREFIX_CFLAGS, PREFIX_LIBS and
# the conditional HAVE_PREFIX.
AC_DEFUN([RUPTIME_WITH], [
	AC_ARG_WITH([$1],
		[AS_HELP_STRING([--with-$1=auto|yes|no], [use $1 for $4 @<:@auto@:>@])],
		[], [with_$1=auto])
	have_$1=no
	AS_CASE([$with_$1],
		[no], [],
		[auto], [PKG_CHECK_MODULES([$2], [$3], [have_$1=yes], [have_$1=no])],
		[yes], [PKG_CHECK_MODULES([$2], [$3], [have_$1=yes])],
		[AC_MSG_ERROR([--with-$1 takes auto, yes or no])])
	AM_CONDITIONAL([HAVE_$2], [test "$have_$1" = yes])
])

# RUPTIME_FOLDER(SWITCH, NAME, FOLDER, WHAT)
# --with-SWITCH: where WHAT is installed, FOLDER by default; no: it is not. Sets NAME_DIR and the
# conditional INSTALL_NAME.
AC_DEFUN([RUPTIME_FOLDER], [
	AS_VAR_PUSHDEF([given], [with_]m4_translit([$1], [-], [_]))
	AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=DIR], [$4 @<:@$3@:>@])], [], [given=yes])
	AS_VAR_IF([given], [yes], [given='$3'])
	AC_SUBST([$2_DIR], [$given])
	AM_CONDITIONAL([INSTALL_$2], [test "$given" != no])
	AS_VAR_POPDEF([given])
])

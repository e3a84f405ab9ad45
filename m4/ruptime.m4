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

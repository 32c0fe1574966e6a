#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The guards' finders find what they are for, and only that: a guard that can not fail guards nothing.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;
use Test::More;

is_deeply([find_long_functions("int f(void)\n{\n" . "    a();\n" x 3 . "}\n", 2)], ['2: 3 lines'], 'a function too long');
is_deeply([find_long_functions("int f(void)\n{\n" . "    a();\n" x 3 . "}\n", 3)], [], 'a function just short enough');

my $banned = qr/strcpy|(?:apr_)?sleep/;
is_deeply([find_calls("x = 1;\nstrcpy(a, b);\n", $banned)], ['2: strcpy'], 'a banned call');
is_deeply([find_calls("sleep (1); apr_sleep(2);", $banned)], ['1: sleep', '1: apr_sleep'], 'two on one line');
is_deeply([find_calls("/* strcpy(\n */ \"strcpy(\"; rp_strcpy(a); 'x'; // strcpy(\n", $banned)], [],
    'not in comments, strings or longer names');
is_deeply([find_calls("'\"'; strcpy(a, \"/*\"); /* \" */ strcpy(c, d);", $banned)], ['1: strcpy', '1: strcpy'],
    'quotes in characters and comments in strings do not hide a call');

is_deeply([find_unregistered_tests("START_TEST(a)\nSTART_TEST(b)\ntcase_add_test(tc, a);\n")], ['b'], 'a test nobody runs');
is_deeply([find_unregistered_tests("START_TEST(a)\ntcase_add_loop_test(tc, a, 0, 3);\n")], [], 'a loop test is registered');
is_deeply([find_unregistered_tests("START_TEST(ab)\n/* tcase_add_test(tc, ab); */\ntcase_add_test(tc, abc);")], ['ab'],
    'neither a comment nor a longer name registers');

is_deeply([find_includes("#include <httpd.h>\n # include \"wire/url.h\"\n// #include <a.h>\n")], ['httpd.h', 'wire/url.h'], 'includes');
is_deeply([find_words("a\nb FOO c\nFOOD\n", qr/\bFOO\b/)], ['2: FOO'], 'a word');

ok(has_spdx("/* SPDX-License-Identifier: Apache-2.0 */\n"), 'licence on line 1');
ok(has_spdx("#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"), 'licence on line 2 after #!');
ok(!has_spdx("/* text */\n/* SPDX-License-Identifier: Apache-2.0 */\n"), 'licence on line 2 is too late');

is_deeply([find_tags('log("RP0001: x"); log("y RP0002: z"); /* "RP0003: " */ s = "RP0004";')], ['RP0001', 'RP0002'], 'tags');
my ($tags, @wrong) = read_tag_registry("# head\nRP0001 error|info src/a.c text\nRP0001 info src/b.c text\nRP0002 loud src/a.c x\n");
is_deeply($tags->{RP0001}, ['error|info', 'src/a.c', 'text'], 'a registered tag');
is(scalar @wrong, 2, 'a tag registered twice and a line with an unknown level');

ok((grep { $_ eq 't/guards/finders.t' } files(qr/finders/)), 'the list of files has this file');
done_testing();

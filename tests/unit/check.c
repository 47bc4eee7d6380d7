/* The register of tests, their main(), and the checks. Runs them by cmocka, which only this file
 * includes; failing jumps out of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/check.h"

enum { TESTS_MAX = 1024, SHOWN_BYTES_MAX = 400 };

struct test {
    const char *name;
    void (*run)(void);
};

/* Filled before main() by the constructors that TEST makes. */
static struct test tests[TESTS_MAX];
static size_t test_count;

void check_register(const char *name, void (*run)(void)) {
    if (test_count == TESTS_MAX) {
        fprintf(stderr, "more than %d tests in one program: raise TESTS_MAX\n", TESTS_MAX);
        abort();
    }
    tests[test_count++] = (struct test){name, run};
}

static void run_one(void **state) {
    const struct test *test = *state;
    test->run();
}

int main(int argc, char **argv) {
    static struct CMUnitTest chosen[TESTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < test_count; i++) {
        if (argc > 1 && !strstr(tests[i].name, argv[1])) continue;
        chosen[count++] = (struct CMUnitTest){
            .name = tests[i].name, .test_func = run_one, .initial_state = &tests[i]};
    }
    if (count == 0) {
        fprintf(stderr, "no test of that name\n");
        return 1;
    }
    return _cmocka_run_group_tests(argv[0], chosen, count, NULL, NULL) == 0 ? 0 : 1;
}

void check_fail(const char *file, int line, const char *format, ...) {
    char text[2 * SHOWN_BYTES_MAX + 1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_error("%s\n", text);
    _fail(file, line);
    abort();   /* not reached: _fail jumps */
}

void check_int(const char *file, int line, const char *what, int64_t actual, int64_t expected) {
    if (actual == expected) return;
    check_fail(file, line, "%s is %lld, not %lld", what, (long long)actual, (long long)expected);
}

void check_text(const char *file, int line, const char *what, const char *actual,
                const char *expected) {
    if (actual == expected) return;
    if (!actual || !expected) {
        check_fail(file, line, "%s is %s, not %s", what, actual ? actual : "NULL",
                   expected ? expected : "NULL");
    }
    if (strcmp(actual, expected) != 0) {
        check_fail(file, line, "%s is\n    \"%s\"\nnot \"%s\"", what, actual, expected);
    }
}

/* Readable bytes as they are (UTF-8 too), others as \xNN. */
static void show(struct slice s, char *out, size_t room) {
    size_t used = 0;
    for (size_t i = 0; i < s.len && used + 5 < room; i++) {
        bool readable = s.data[i] >= 0x20 && s.data[i] != 0x7F;
        used += (size_t)snprintf(out + used, room - used, readable ? "%c" : "\\x%02x", s.data[i]);
    }
    out[used] = 0;
}

void check_slice(const char *file, int line, const char *what, struct slice actual,
                 struct slice expected) {
    bool same = actual.len == expected.len &&
                (actual.len == 0 || memcmp(actual.data, expected.data, actual.len) == 0);
    if (same) return;
    char is[SHOWN_BYTES_MAX], should[SHOWN_BYTES_MAX];
    show(actual, is, sizeof is);
    show(expected, should, sizeof should);
    check_fail(file, line, "%s is (%zu bytes)\n    \"%s\"\nnot (%zu bytes)\n    \"%s\"", what,
               actual.len, is, expected.len, should);
}

void check_status(const char *file, int line, const char *what, enum status actual,
                  enum status expected, const struct err *err) {
    if (actual == expected) return;
    check_fail(file, line, "%s gives status %d, not %d: %s", what, (int)actual, (int)expected,
               actual == ST_OK ? "it worked" : err->text[LANG_EN]);
}

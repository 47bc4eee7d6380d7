/* Unit tests: each registers itself, so that none can be written and not run.
 *
 *     TEST(an_empty_buffer_is_an_empty_text) {
 *         struct buf buf = buf_new(BUF_MAX_LINE);
 *         CHECK_TEXT(buf_text(&buf), "");
 *     }
 *
 * check.c has main(): it runs all tests of the program, or those whose name contains its argument. A
 * check that fails ends its test. Expected values are worked out by a person, not copied from output.
 */
#ifndef ROADBOOK_CHECK_H
#define ROADBOOK_CHECK_H

#include "protocol/base/base.h"

#define TEST(name)                                                                                   \
    static void name(void);                                                                          \
    __attribute__((constructor)) static void register_##name(void) {                                 \
        check_register(#name, name);                                                                 \
    }                                                                                                \
    static void name(void)

/* for EACH(row, rows): row points at each of an array in turn. Rows begin with .name. */
#define EACH(row, rows)                                                                              \
    (__typeof__(&(rows)[0]) row = (rows); row < (rows) + ARRAY_COUNT(rows); row++)

#define CHECK_HERE __FILE__, __LINE__

#define CHECK(cond)                                                                                  \
    do {                                                                                             \
        if (!(cond)) check_fail(CHECK_HERE, "%s", #cond);                                            \
    } while (0)
#define CHECK_INT(actual, expected)                                                                  \
    check_int(CHECK_HERE, #actual, (int64_t)(actual), (int64_t)(expected))
#define CHECK_TEXT(actual, expected) check_text(CHECK_HERE, #actual, (actual), (expected))
/* A slice against a string literal, which may contain zeros. */
#define CHECK_SLICE(actual, literal) check_slice(CHECK_HERE, #actual, (actual), SLICE(literal))
#define CHECK_SLICES(actual, expected) check_slice(CHECK_HERE, #actual, (actual), (expected))

#define CHECK_ROW(row, cond)                                                                         \
    do {                                                                                             \
        if (!(cond)) check_fail(CHECK_HERE, "row \"%s\": %s", (row)->name, #cond);                   \
    } while (0)
#define CHECK_ROW_INT(row, actual, expected)                                                         \
    check_int(CHECK_HERE, (row)->name, (int64_t)(actual), (int64_t)(expected))
#define CHECK_ROW_TEXT(row, actual, expected)                                                        \
    check_text(CHECK_HERE, (row)->name, (actual), (expected))
#define CHECK_ROW_SLICE(row, actual, expected)                                                       \
    check_slice(CHECK_HERE, (row)->name, (actual), (expected))

/* These two use the local variable struct err err. */
#define CHECK_OK(expr) check_status(CHECK_HERE, #expr, (expr), ST_OK, &err)
#define CHECK_STATUS(expr, expected) check_status(CHECK_HERE, #expr, (expr), (expected), &err)

void check_register(const char *name, void (*run)(void));
void check_fail(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4)
    __attribute__((noreturn));
void check_int(const char *file, int line, const char *what, int64_t actual, int64_t expected);
void check_text(const char *file, int line, const char *what, const char *actual,
                const char *expected);
void check_slice(const char *file, int line, const char *what, struct slice actual,
                 struct slice expected);
void check_status(const char *file, int line, const char *what, enum status actual,
                  enum status expected, const struct err *err);

#endif

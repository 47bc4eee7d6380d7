/* Statuses and error records: what the caller can do, and what happened in words.
 *
 * All facts about a status stand in STATUS_ROWS; the functions here only look them up. Texts are
 * written into fixed arrays, so that reporting an error never needs memory.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "protocol/base/base.h"

/* How many bytes the character takes that begins with this byte; 1 for what cannot begin one. */
static size_t bytes_announced(uint8_t lead) {
    if (lead >= 0xF0) return 4;
    if (lead >= 0xE0) return 3;
    if (lead >= 0xC0) return 2;
    return 1;
}

/* Drops an unfinished character from the end of a text that was cut to fit. */
static void drop_half_character(char text[ERR_TEXT_BYTES]) {
    size_t len = ERR_TEXT_BYTES - 1;
    for (size_t back = 1; back <= 3; back++) {
        uint8_t byte = (uint8_t)text[len - back];
        if ((byte & 0xC0) == 0x80) continue;
        if (bytes_announced(byte) > back) text[len - back] = 0;
        return;
    }
}

static void format_text(char out[ERR_TEXT_BYTES], const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void format_text(char out[ERR_TEXT_BYTES], const char *format, va_list args) {
    int bytes = vsnprintf(out, ERR_TEXT_BYTES, format, args);
    if (bytes < 0) out[0] = 0;
    if (bytes >= ERR_TEXT_BYTES) drop_half_character(out);
}

/* Appends as much as fits. */
static void append_text(char out[ERR_TEXT_BYTES], const char *more) {
    size_t len = strlen(out);
    size_t room = ERR_TEXT_BYTES - 1 - len;
    size_t bytes = strlen(more);
    size_t kept = bytes < room ? bytes : room;
    memcpy(out + len, more, kept);
    out[len + kept] = 0;
    if (kept < bytes) drop_half_character(out);
}

static void format_texts(struct err *fresh, const char *en, const char *zh, va_list args) {
    va_list again;
    va_copy(again, args);
    format_text(fresh->text[LANG_EN], en, args);
    format_text(fresh->text[LANG_ZH], zh, again);
    va_end(again);
}

/* The texts are formatted beside *err first, since an argument may be a text of *err itself. */
enum status err_set(struct err *err, enum status status, const char *en, const char *zh, ...) {
    if (!err) return status;
    struct err fresh = {.status = status};
    va_list args;
    va_start(args, zh);
    format_texts(&fresh, en, zh, args);
    va_end(args);
    *err = fresh;
    return status;
}

enum status err_wrap(struct err *err, enum status status, const char *en, const char *zh, ...) {
    static const char *const colon[LANG_COUNT] = {": ", "："};
    if (!err) return status;
    struct err fresh = {.status = status};
    va_list args;
    va_start(args, zh);
    format_texts(&fresh, en, zh, args);
    va_end(args);
    for (int lang = 0; lang < LANG_COUNT; lang++) {
        bool known = err->status == status && err->text[lang][0] != 0;
        append_text(fresh.text[lang], colon[lang]);
        append_text(fresh.text[lang],
                    known ? err->text[lang] : status_text(status, (enum lang)lang));
    }
    *err = fresh;
    return status;
}

enum status err_no_memory(struct err *err) {
    return err_set(err, ST_NO_MEMORY, "out of memory", "内存不足");
}

const char *status_name(enum status status) {
    switch (status) {
#define STATUS_NAME(name, ...)                                                                     \
    case ST_##name: return #name;
        STATUS_ROWS(STATUS_NAME)
#undef STATUS_NAME
    }
    return "INTERNAL";
}

const char *status_text(enum status status, enum lang lang) {
    switch (status) {
#define STATUS_TEXT(name, number, retry, http, exit, en, zh)                                       \
    case ST_##name: return lang == LANG_ZH ? (zh) : (en);
        STATUS_ROWS(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return status_text(ST_INTERNAL, lang);
}

bool status_is_retryable(enum status status) {
    switch (status) {
#define STATUS_RETRY(name, number, retry, ...)                                                     \
    case ST_##name: return retry;
        STATUS_ROWS(STATUS_RETRY)
#undef STATUS_RETRY
    }
    return false;
}

int status_http(enum status status) {
    switch (status) {
#define STATUS_HTTP(name, number, retry, http, ...)                                                \
    case ST_##name: return http;
        STATUS_ROWS(STATUS_HTTP)
#undef STATUS_HTTP
    }
    return 500;
}

int status_exit(enum status status) {
    switch (status) {
#define STATUS_EXIT(name, number, retry, http, exit, ...)                                          \
    case ST_##name: return exit;
        STATUS_ROWS(STATUS_EXIT)
#undef STATUS_EXIT
    }
    return 70;
}

enum status status_from_number(int64_t number) {
    switch (number) {
#define STATUS_NUMBER(name, value, ...)                                                            \
    case value: return ST_##name;
        STATUS_ROWS(STATUS_NUMBER)
#undef STATUS_NUMBER
    default: return ST_INTERNAL;
    }
}

/* CSV as it comes from spreadsheets and other systems: RFC 4180, read leniently.
 *
 * The whole file is decoded to UTF-8 first (iconv for what is not), so that quotes and separators
 * are looked for in characters and never in the second byte of one. Lenient: any line end, blank
 * lines, text behind a closing quote.
 */
#include "syncd/api/api.h"
#include "syncd/api/import.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_BYTES_LOOKED_AT = 64 * 1024 };

struct csv {
    const char *encoding;
    struct buf decoded; /* empty when the file was UTF-8 */
    struct slice text;  /* without its byte order mark */
    size_t at;
    int64_t line; /* of text[at], from 1 */
    uint8_t separator;
    struct buf record;            /* the fields of the record, one behind the other */
    size_t ends[CSV_COLUMNS_MAX]; /* of each field in it */
    struct slice fields[CSV_COLUMNS_MAX];
};

/* ------------------------------------------------------------------ encodings */

static enum status wrong_encoding(const char *encoding, size_t at, struct err *err) {
    return err_set(err, ST_INVALID,
                   "the file is not %s: byte %zu does not fit; name the right one with --encoding",
                   "文件不是 %s 编码（第 %zu 字节不符）：请用 --encoding 指明", encoding, at + 1);
}

static enum status convert(struct slice bytes, const char *encoding, struct buf *out,
                           struct err *err) {
    iconv_t door = iconv_open("UTF-8", encoding);
    if (door == (iconv_t)-1)
        return err_set(err, ST_USAGE, "unknown encoding: %s", "未知编码：%s", encoding);
    char *in =
        (char *)(uintptr_t)bytes.data; /* iconv does not write there, though its type says so */
    size_t left = bytes.len;
    enum status status = ST_OK;
    while (left > 0 && status == ST_OK) {
        char piece[16384], *to = piece;
        size_t room = sizeof piece;
        size_t done = iconv(door, &in, &left, &to, &room);
        int why = errno;
        buf_put(out, piece, sizeof piece - room);
        if (done == (size_t)-1 && why != E2BIG)
            status = wrong_encoding(encoding, bytes.len - left, err);
        if (out->failed) break;
    }
    iconv_close(door);
    return status == ST_OK ? buf_status(out, err) : status;
}

static bool drop_mark(struct slice *s, struct slice mark) {
    if (!slice_starts(*s, mark)) return false;
    *s = slice_of(s->data + mark.len, s->len - mark.len);
    return true;
}

static bool is_utf8_name(const char *encoding) {
    return strcasecmp(encoding, "utf-8") == 0 || strcasecmp(encoding, "utf8") == 0;
}

/* What the file says itself: a byte order mark, else whether it can be UTF-8. The mark is taken
 * off. */
static const char *find_encoding(struct slice *bytes) {
    if (drop_mark(bytes, SLICE("\xEF\xBB\xBF"))) return "utf-8";
    if (drop_mark(bytes, SLICE("\xFF\xFE"))) return "utf-16le";
    if (drop_mark(bytes, SLICE("\xFE\xFF"))) return "utf-16be";
    return text_is_utf8(*bytes) ? "utf-8" : "gb18030";
}

static enum status decode(struct csv *csv, struct slice bytes, const char *encoding,
                          struct err *err) {
    csv->decoded = buf_new(BUF_MAX_FILE);
    csv->encoding = find_encoding(&bytes);
    if (encoding && !(is_utf8_name(encoding) && is_utf8_name(csv->encoding)))
        csv->encoding = is_utf8_name(encoding)                 ? "utf-8"
                        : strcasecmp(encoding, "gb18030") == 0 ? "gb18030"
                                                               : NULL;
    if (!csv->encoding)
        return err_set(err, ST_USAGE, "unknown encoding %s: utf-8 or gb18030",
                       "未知编码 %s：可用 utf-8 或 gb18030", encoding);
    csv->text = bytes;
    if (!is_utf8_name(csv->encoding)) {
        TRY(convert(bytes, csv->encoding, &csv->decoded, err));
        csv->text = buf_slice(&csv->decoded);
        (void)drop_mark(&csv->text, SLICE("\xEF\xBB\xBF"));
    }
    if (csv->text.len == 0) csv->text = SLICE(""); /* never NULL: there is arithmetic on it */
    if (memchr(csv->text.data, 0, csv->text.len))
        return err_set(err, ST_INVALID, "this is not a text file", "这不是文本文件");
    return text_is_utf8(csv->text) ? ST_OK : wrong_encoding(csv->encoding, 0, err);
}

/* ------------------------------------------------------------------ the separator */

static uint8_t find_separator(struct slice text) {
    static const uint8_t CANDIDATES[] = {',', ';', '|', '\t'};
    size_t counts[ARRAY_COUNT(CANDIDATES)] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len && i < HEAD_BYTES_LOOKED_AT; i++) {
        uint8_t c = text.data[i];
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (c == '\n' || c == '\r') break;
        for (size_t k = 0; k < ARRAY_COUNT(CANDIDATES); k++) counts[k] += c == CANDIDATES[k];
    }
    for (size_t k = 1; k < ARRAY_COUNT(CANDIDATES); k++)
        if (counts[k] > counts[best]) best = k;
    return CANDIDATES[best];
}

/* Blank lines before the head say nothing. */
static void skip_blank_lines(struct csv *csv) {
    while (csv->at < csv->text.len &&
           (csv->text.data[csv->at] == '\n' || csv->text.data[csv->at] == '\r')) {
        bool pair = csv->text.data[csv->at] == '\r' && csv->at + 1 < csv->text.len &&
                    csv->text.data[csv->at + 1] == '\n';
        csv->at += pair ? 2 : 1;
        csv->line++;
    }
}

enum status csv_open(struct slice bytes, const char *encoding, struct csv **out, struct err *err) {
    struct csv *csv = calloc(1, sizeof *csv);
    if (!csv) return err_no_memory(err);
    csv->record = buf_new(BUF_MAX_MESSAGE);
    csv->line = 1;
    enum status status = decode(csv, bytes, encoding, err);
    if (status != ST_OK) {
        csv_close(csv);
        return status;
    }
    skip_blank_lines(csv);
    csv->separator = find_separator(slice_of(csv->text.data + csv->at, csv->text.len - csv->at));
    *out = csv;
    return ST_OK;
}

void csv_close(struct csv *csv) {
    if (!csv) return;
    buf_free(&csv->decoded);
    buf_free(&csv->record);
    free(csv);
}

const char *csv_encoding(const struct csv *csv) {
    return csv->encoding;
}

int64_t csv_position(const struct csv *csv, int64_t *out_total) {
    *out_total = (int64_t)csv->text.len;
    return (int64_t)csv->at;
}

/* ------------------------------------------------------------------ records */

static bool at_end(const struct csv *csv) {
    return csv->at >= csv->text.len;
}

static bool at_line_end(const struct csv *csv) {
    return at_end(csv) || csv->text.data[csv->at] == '\n' || csv->text.data[csv->at] == '\r';
}

static void take_line_end(struct csv *csv) {
    if (at_end(csv)) return;
    bool pair = csv->text.data[csv->at] == '\r' && csv->at + 1 < csv->text.len &&
                csv->text.data[csv->at + 1] == '\n';
    csv->at += pair ? 2 : 1;
    csv->line++;
}

/* Behind the opening quote, up to and with the closing one. */
static enum status take_quoted(struct csv *csv, struct err *err) {
    int64_t begun = csv->line;
    for (;; csv->at++) {
        if (at_end(csv))
            return err_set(err, ST_INVALID, "line %lld: a quote is opened and never closed",
                           "第 %lld 行：引号没有结束", (long long)begun);
        uint8_t c = csv->text.data[csv->at];
        if (c == '"') {
            csv->at++;
            if (at_end(csv) || csv->text.data[csv->at] != '"') return ST_OK;
        }
        csv->line += c == '\n';
        buf_put_byte(&csv->record, c);
    }
}

static enum status take_field(struct csv *csv, struct err *err) {
    size_t from = csv->record.len;
    if (!at_end(csv) && csv->text.data[csv->at] == '"') {
        csv->at++;
        TRY(take_quoted(csv, err));
    }
    size_t plain = csv->at;
    while (!at_line_end(csv) && csv->text.data[csv->at] != csv->separator) csv->at++;
    buf_put(&csv->record, csv->text.data + plain, csv->at - plain);
    if (csv->record.len - from > CSV_FIELD_BYTES_MAX)
        return err_set(err, ST_TOO_LARGE,
                       "line %lld: a field is longer than %d bytes; is a quote missing?",
                       "第 %lld 行：单个字段超过 %d 字节，是否缺少引号？", (long long)csv->line,
                       CSV_FIELD_BYTES_MAX);
    return buf_status(&csv->record, err);
}

static enum status take_record(struct csv *csv, size_t *out_count, struct err *err) {
    size_t count = 0;
    buf_reset(&csv->record);
    for (;;) {
        if (count == CSV_COLUMNS_MAX)
            return err_set(err, ST_TOO_LARGE, "line %lld: more than %d columns",
                           "第 %lld 行：超过 %d 列", (long long)csv->line, CSV_COLUMNS_MAX);
        TRY(take_field(csv, err));
        csv->ends[count++] = csv->record.len;
        if (at_line_end(csv)) break;
        csv->at++; /* the separator */
    }
    take_line_end(csv);
    *out_count = count;
    return ST_OK;
}

enum status csv_next(struct csv *csv, const struct slice **out_fields, size_t *out_count,
                     int64_t *out_line, struct err *err) {
    size_t count = 0, from = 0;
    skip_blank_lines(csv);
    int64_t line = csv->line;
    if (!at_end(csv)) TRY(take_record(csv, &count, err));
    for (size_t i = 0; i < count; i++) { /* only now does the buffer stand still */
        csv->fields[i] =
            slice_of(csv->record.data ? csv->record.data + from : NULL, csv->ends[i] - from);
        from = csv->ends[i];
    }
    *out_fields = csv->fields;
    *out_count = count;
    *out_line = line;
    return ST_OK;
}

/* ------------------------------------------------------------------ writing */

static bool wants_quotes(struct slice text) {
    if (text.len == 0) return false;
    for (size_t i = 0; i < text.len; i++)
        if (memchr("\",;|\t\r\n", text.data[i], 7)) return true;
    return text.data[0] == ' ' || text.data[text.len - 1] == ' ';
}

void csv_write_field(struct buf *out, struct slice text, bool first) {
    if (!first) buf_put_byte(out, ',');
    if (!wants_quotes(text)) {
        buf_put_slice(out, text);
        return;
    }
    buf_put_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"') buf_put_byte(out, '"');
        buf_put_byte(out, text.data[i]);
    }
    buf_put_byte(out, '"');
}

void csv_write_end(struct buf *out) {
    buf_put_text(out, "\r\n");
}

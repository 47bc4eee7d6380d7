/* Each kind of message in hex with its meaning: tests/golden/messages.txt. UPDATE=1 in the
 * environment writes it anew, and with it the corpus of the fuzz target; the change is then
 * reviewed like code.
 */
#include "tests/unit/check.h"
#include "tests/unit/wire_make.h"

static const char GOLDEN[] = "tests/golden/messages.txt";
/* As the wire was before scope, repair and recovery came. Never written anew: laptops that speak so
 * are out there. */
static const char BEFORE[] = "tests/golden/messages-before.txt";
enum { MESSAGES_BEFORE = 12 };
enum { HEX_LINE_BYTES = 48, PATH_BYTES = 200 };

static void write_hex(struct slice s, struct buf *out) {
    for (size_t at = 0; at < s.len; at += HEX_LINE_BYTES) {
        size_t left = s.len - at;
        buf_put_text(out, "  ");
        buf_put_hex(out, slice_of(s.data + at, left < HEX_LINE_BYTES ? left : HEX_LINE_BYTES));
        buf_put_byte(out, '\n');
    }
}

static void write_all(const struct sample *samples, struct buf *out) {
    struct err err;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat;
    CHECK_OK(catalogue_release(&mem, &cat, &err));
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        struct slice stored = stored_form(samples[i].message, &mem);
        buf_printf(out, "%s: %zu bytes, payload stored:\n", samples[i].name,
                   samples[i].message.len);
        write_hex(stored, out);
        buf_put_text(out, "  ");
        CHECK_OK(wire_write_json(samples[i].message, &cat, out, &err));
        buf_put_text(out, "\n\n");
    }
    CHECK_OK(buf_status(out, &err));
}

static void write_file(const char *path, struct slice content) {
    FILE *file = fopen(path, "wb");
    CHECK(file);
    CHECK(content.len == 0 || fwrite(content.data, content.len, 1, file) == 1);
    CHECK_INT(fclose(file), 0);
}

static void read_file(const char *path, struct buf *out) {
    FILE *file = fopen(path, "rb");
    if (!file) return;
    for (int c; (c = fgetc(file)) != EOF;) buf_put_byte(out, (uint8_t)c);
    (void)fclose(file);
}

static void write_corpus(const struct sample *samples) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof path, "tests/fuzz/corpus/message/%s", samples[i].name);
        write_file(path, stored_form(samples[i].message, &mem));
        (void)snprintf(path, sizeof path, "tests/fuzz/corpus/message/%s-coded", samples[i].name);
        if (samples[i].message.data[3] != 0) write_file(path, samples[i].message);
    }
}

TEST(messages_look_as_in_the_golden_file) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf now = buf_new(BUF_MAX_MESSAGE);
    SCOPED(buf_free) struct buf golden = buf_new(BUF_MAX_MESSAGE);
    struct sample samples[SAMPLE_COUNT];
    make_samples(&mem, samples);
    write_all(samples, &now);
    const char *update = getenv("UPDATE");
    if (update && update[0] == '1') {
        write_file(GOLDEN, buf_slice(&now));
        write_corpus(samples);
    }
    read_file(GOLDEN, &golden);
    CHECK_TEXT(buf_text(&now), buf_text(&golden));
}

static struct slice unhex(struct slice text, struct arena *mem) {
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    int high = -1;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = strchr("0123456789abcdef", text.data[i]);
        if (!digit || !text.data[i]) continue;
        int four = (int)(digit - "0123456789abcdef");
        if (high >= 0) buf_put_byte(&bytes, (uint8_t)(high << 4 | four));
        high = high >= 0 ? -1 : four;
    }
    return arena_copy(mem, buf_slice(&bytes));
}

/* A message's lines: its name, bytes in hex, its meaning as JSON. */
static void check_before(struct slice entry, const struct catalogue *cat, struct arena *mem) {
    struct err err;
    struct slice line, name = {0}, meaning = {0};
    struct buf hex SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    struct buf now SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    (void)slice_cut(&entry, '\n', &name);
    while (slice_cut(&entry, '\n', &line)) {
        if (line.len > 2 && line.data[2] == '{')
            meaning = slice_of(line.data + 2, line.len - 2);
        else
            buf_put_slice(&hex, line);
    }
    CHECK_OK(wire_write_json(unhex(buf_slice(&hex), mem), cat, &now, &err));
    CHECK_TEXT(buf_text(&now), arena_string(mem, meaning));
}

TEST(messages_of_the_wire_before_mean_what_they_meant) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf file = buf_new(BUF_MAX_MESSAGE);
    struct catalogue cat;
    struct err err;
    int count = 0;
    CHECK_OK(catalogue_release(&mem, &cat, &err));
    read_file(BEFORE, &file);
    for (const char *at = buf_text(&file), *end; (end = strstr(at, "\n\n")); at = end + 2) {
        check_before(slice_of(at, (size_t)(end - at)), &cat, &mem);
        count++;
    }
    CHECK_INT(count, MESSAGES_BEFORE);
}

TEST(an_idle_round_is_small) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    make_samples(&mem, samples);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        struct slice name = slice_from(samples[i].name);
        if (slice_equal(name, SLICE("round-request-idle"))) CHECK(samples[i].message.len <= 70);
        if (slice_equal(name, SLICE("round-reply-idle"))) CHECK(samples[i].message.len <= 40);
    }
}

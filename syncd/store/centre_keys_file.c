/* The file that keeps the org's newest key through a restore (org_keys.h).
 *
 * Lines of words: `change NUMBER TIME-MS SEQ OLD NEW BY-OLD BY-NEW VOUCHER ADDED PERSON` from the
 * first change on, `seed SEED`, and `sum SUM`, the SHA-256 of all lines before it. Bytes are in
 * hex; PERSON has a dash in front, so that nobody is a word, too. */
#include <stdio.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "syncd/store/org_keys.h"

enum { CHANGE_WORDS = 11 };
#define FIRST_LINE "roadbook keys 1\n"

/* ------------------------------------------------------------------ writing */

static void put_bytes(struct buf *out, const uint8_t *bytes, size_t count) {
    buf_put_text(out, " ");
    buf_put_hex(out, slice_of(bytes, count));
}

static void put_change(struct buf *out, size_t number, const struct key_record *r) {
    buf_printf(out, "change %zu %lld %lld", number, (long long)r->change.time_ms,
               (long long)r->change.seq);
    put_bytes(out, r->change.old_public, SIGN_PUBLIC_BYTES);
    put_bytes(out, r->change.new_public, SIGN_PUBLIC_BYTES);
    put_bytes(out, r->change.by_old, SIGN_BYTES);
    put_bytes(out, r->change.by_new, SIGN_BYTES);
    put_bytes(out, r->voucher, MAC_STATE_BYTES);
    buf_printf(out, " %lld -", (long long)r->added);
    buf_put_hex(out, slice_from(r->person));
    buf_put_text(out, "\n");
}

static void buf_forget(struct buf *buf) {
    if (buf->data) bytes_wipe(buf->data, buf->len);
    buf_free(buf);
}

enum status keys_file_write(const char *path, const struct key_records *records,
                            const uint8_t seed[SIGN_SEED_BYTES], struct err *err) {
    SCOPED(buf_forget) struct buf text = buf_new(KEYS_FILE_BYTES_MAX);
    buf_put_text(&text, FIRST_LINE);
    for (size_t i = 0; i < records->count; i++) put_change(&text, i + 1, &records->items[i]);
    buf_put_text(&text, "seed");
    put_bytes(&text, seed, SIGN_SEED_BYTES);
    buf_put_text(&text, "\n");
    struct hash sum = hash_sha256(buf_slice(&text));
    buf_put_text(&text, "sum");
    put_bytes(&text, sum.bytes, HASH_BYTES);
    buf_put_text(&text, "\n");
    TRY(buf_status(&text, err));
    return platform_replace_erased(path, buf_slice(&text), err);
}

/* ------------------------------------------------------------------ reading */

static int digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Without memory of its own: that there is none does not make the file unsound. */
static bool take_bytes(struct slice word, uint8_t *out, size_t count) {
    if (word.len != 2 * count) return false;
    for (size_t i = 0; i < count; i++) {
        int high = digit(word.data[2 * i]), low = digit(word.data[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool take_person(struct slice word, char out[KEYS_PERSON_BYTES]) {
    size_t len = word.len / 2;
    if (word.len == 0 || word.data[0] != '-' || len >= KEYS_PERSON_BYTES) return false;
    out[len] = 0;
    return take_bytes(slice_of(word.data + 1, word.len - 1), (uint8_t *)out, len);
}

static bool take_change(struct slice line, size_t number, struct key_record *out) {
    struct slice words[CHANGE_WORDS];
    struct key_record r = {0};
    int64_t told;
    size_t count = 0;
    while (count < CHANGE_WORDS && slice_cut(&line, ' ', &words[count])) count++;
    bool sound = count == CHANGE_WORDS && line.len == 0 && slice_equal(words[0], SLICE("change")) &&
                 text_to_int(words[1], &told) && told == (int64_t)number &&
                 text_to_int(words[2], &r.change.time_ms) && text_to_int(words[3], &r.change.seq) &&
                 take_bytes(words[4], r.change.old_public, SIGN_PUBLIC_BYTES) &&
                 take_bytes(words[5], r.change.new_public, SIGN_PUBLIC_BYTES) &&
                 take_bytes(words[6], r.change.by_old, SIGN_BYTES) &&
                 take_bytes(words[7], r.change.by_new, SIGN_BYTES) &&
                 take_bytes(words[8], r.voucher, MAC_STATE_BYTES) &&
                 text_to_int(words[9], &r.added) && take_person(words[10], r.person);
    if (sound) *out = r;
    return sound;
}

static bool take_line(struct slice line, const char *name, uint8_t *out, size_t count) {
    struct slice word;
    return slice_cut(&line, ' ', &word) && slice_equal(word, slice_from(name)) &&
           take_bytes(line, out, count);
}

/* The sum is over everything up to its own line, which is the last. */
static bool take_lines(struct slice text, struct keys_file *out) {
    struct slice rest = text, line, first = SLICE(FIRST_LINE);
    uint8_t sum[HASH_BYTES];
    if (text.len < first.len || memcmp(text.data, first.data, first.len) != 0) return false;
    rest = slice_of(text.data + first.len, text.len - first.len);
    while (slice_cut(&rest, '\n', &line)) {
        if (out->records.count == KEY_CHANGES_MAX) break;
        if (!take_change(line, out->records.count + 1, &out->records.items[out->records.count]))
            break;
        out->records.count++;
    }
    if (!take_line(line, "seed", out->seed, SIGN_SEED_BYTES)) return false;
    struct hash is = hash_sha256(slice_of(text.data, text.len - rest.len));
    if (!slice_cut(&rest, '\n', &line) || !take_line(line, "sum", sum, HASH_BYTES)) return false;
    return rest.len == 0 && memcmp(sum, is.bytes, HASH_BYTES) == 0;
}

/* Do the statements lead, one after the other, to the key whose seed is there? */
static bool leads_to_seed(const struct keys_file *file) {
    const struct key_record *items = file->records.items;
    uint8_t now[SIGN_PUBLIC_BYTES];
    if (file->records.count == 0) return false;
    struct sign_key key = sign_key_from_seed(file->seed);
    sign_public(&key, now);
    bytes_wipe(&key, sizeof key);
    for (size_t i = 0; i < file->records.count; i++) {
        const struct key_change *it = &items[i].change;
        const uint8_t *next =
            i + 1 < file->records.count ? items[i + 1].change.old_public : (const uint8_t *)now;
        if (memcmp(it->new_public, next, SIGN_PUBLIC_BYTES) != 0) return false;
        if (!key_change_is_signed(it, items[0].change.old_public, (uint32_t)i + 1)) return false;
    }
    return true;
}

enum status keys_file_read(const char *path, struct arena *mem, struct keys_file *out,
                           struct err *err) {
    struct slice text;
    *out = (struct keys_file){.is_there = platform_exists(path)};
    if (!out->is_there) return ST_OK;
    out->records.items = ARENA_ARRAY(mem, KEY_CHANGES_MAX, struct key_record);
    if (!out->records.items) return err_no_memory(err);
    TRY(platform_read_file(path, KEYS_FILE_BYTES_MAX, mem, &text, err));
    out->is_sound = take_lines(text, out) && leads_to_seed(out);
    bytes_wipe((void *)(uintptr_t)text.data, text.len);
    return ST_OK;
}

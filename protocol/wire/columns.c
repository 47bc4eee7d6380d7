/* Sets of columns: gathering while a section is walked over, and writing each column at the end; or
 * opening each at its first use when the section is read.
 */
#include "protocol/wire/columns.h"

enum { GATHERED_MAX = BUF_MAX_FILE, DISTINCT_SHARE = 2 };

/* Numbers between 1990 and 2100 in milliseconds are taken for instants; a wrong guess costs
 * nothing. */
static const int64_t INSTANT_MIN_MS = 631152000000, INSTANT_MAX_MS = 4102444800000,
                     DAY_MS = 86400000;

enum texts_form { TEXTS_PLAIN, TEXTS_DISTINCT, TEXTS_FORM_COUNT };

void cuts_add(struct cuts *cuts, size_t offset) {
    if (cuts->count < CUTS_MAX) cuts->at[cuts->count++] = offset;
}

bool columns_failed(const struct columns *set) {
    return set->coder.reading ? coder_failed(&set->coder)
                              : set->coder.status != ST_OK || set->prefix.failed;
}

void columns_start(struct columns *set) {
    *set = (struct columns){.prefix = buf_new(BUF_MAX_MESSAGE)};
    set->coder = coder_writing(&set->prefix);
}

void columns_open(struct columns *set, struct slice section, struct arena *mem, size_t room) {
    struct reader whole = reader_of(section);
    struct slice numbers = reader_bytes(&whole, section.len);
    *set = (struct columns){.coder = coder_reading(numbers, mem)};
    set->coder.room = room;
    if (whole.failed) coder_fail(&set->coder, ST_MALFORMED);
    struct slice packed = reader_take(&whole, reader_left(&whole));
    set->texts = reader_of(repeats_read(&set->coder, packed));
}

static void link_column(struct columns *set, struct column *col) {
    if (set->last) {
        set->last->next = col;
    } else {
        set->first = col;
    }
    set->last = col;
}

static void open_texts(struct columns *set, struct column *col) {
    struct coder *c = &set->coder;
    unsigned form = (unsigned)code_number(c, 0, TEXTS_FORM_COUNT - 1);
    size_t bytes = (size_t)code_number(c, 0, reader_left(&set->texts));
    col->area = reader_of(reader_take(&set->texts, bytes));
    if (form == TEXTS_DISTINCT) col->distinct_count = (size_t)code_number(c, 0, bytes + 1);
    ints_open(&col->ints, c);
    if (col->distinct_count == 0 || coder_failed(c)) return;
    struct ints lengths = col->ints;
    bool failed = false;
    col->distinct = code_items(c, NULL, col->distinct_count, sizeof *col->distinct);
    if (!col->distinct) return;
    for (size_t i = 0; i < col->distinct_count && !failed; i++) {
        uint64_t len = (uint64_t)ints_next(&lengths, NULL, &failed);
        failed = failed || len > reader_left(&col->area);
        if (!failed) col->distinct[i] = reader_take(&col->area, (size_t)len);
    }
    if (failed || !ints_done(&lengths)) coder_fail(c, ST_MALFORMED);
    ints_open(&col->ints, c);
}

/* At its first use a column comes to life. */
static void use(struct columns *set, struct column *col, enum column_kind kind) {
    if (col->kind != COLUMN_UNUSED) return;
    col->kind = kind;
    col->gathered = buf_new(GATHERED_MAX);
    col->beside = buf_new(GATHERED_MAX);
    link_column(set, col);
    if (!set->coder.reading || coder_failed(&set->coder)) return;
    if (kind == COLUMN_TEXTS) {
        open_texts(set, col);
    } else {
        ints_open(&col->ints, &set->coder);
    }
}

static int64_t draw_number(struct columns *set, struct column *col, const struct beside *beside) {
    if (coder_failed(&set->coder)) return 0;
    bool failed = false;
    int64_t value = ints_next(&col->ints, beside, &failed);
    if (failed) coder_fail(&set->coder, ST_MALFORMED);
    return failed ? 0 : value;
}

int64_t column_signed(struct columns *set, struct column *col, int64_t value) {
    use(set, col, COLUMN_INTS);
    if (set->coder.reading) return draw_number(set, col, NULL);
    buf_put(&col->gathered, &value, sizeof value);
    return value;
}

static int64_t column_related(struct columns *set, struct column *col, int64_t value,
                              const struct beside *beside) {
    use(set, col, COLUMN_RELATED);
    if (set->coder.reading) return draw_number(set, col, beside);
    buf_put(&col->gathered, &value, sizeof value);
    buf_put(&col->beside, beside, sizeof *beside);
    return value;
}

uint64_t column_number(struct columns *set, struct column *col, uint64_t value, uint64_t max) {
    value = (uint64_t)column_signed(set, col, (int64_t)value);
    if (value <= max) return value;
    coder_fail(&set->coder, set->coder.reading ? ST_MALFORMED : ST_INTERNAL);
    return 0;
}

uint32_t column_u32(struct columns *set, struct column *col, uint32_t value) {
    return (uint32_t)column_number(set, col, value, UINT32_MAX);
}

int64_t column_near(struct columns *set, struct column *col, int64_t value, int64_t expected) {
    int64_t apart = (int64_t)((uint64_t)value - (uint64_t)expected);
    return (int64_t)((uint64_t)column_signed(set, col, apart) + (uint64_t)expected);
}

uint32_t column_u32_near(struct columns *set, struct column *col, uint32_t value,
                         uint32_t expected) {
    int64_t number = column_near(set, col, value, expected);
    if (number >= 0 && number <= UINT32_MAX) return (uint32_t)number;
    coder_fail(&set->coder, ST_MALFORMED);
    return 0;
}

int64_t column_id(struct columns *set, struct id_column *col, int64_t id) {
    int64_t device = column_signed(set, &col->devices, id >> ID_COUNTER_BITS);
    uint32_t *last = &col->last[(uint64_t)device % ARRAY_COUNT(col->last)];
    uint32_t counter = column_u32_near(set, &col->counters, (uint32_t)id, *last);
    *last = counter;
    return (int64_t)((uint64_t)device << ID_COUNTER_BITS | counter);
}

struct slice column_text(struct columns *set, struct column *col, struct slice text) {
    use(set, col, COLUMN_TEXTS);
    if (!set->coder.reading) {
        buf_put(&col->gathered, &text, sizeof text);
        return text;
    }
    if (coder_failed(&set->coder)) return (struct slice){0};
    bool failed = false;
    uint64_t number = (uint64_t)ints_next(&col->ints, NULL, &failed);
    failed = failed ||
             (col->distinct ? number >= col->distinct_count : number > reader_left(&col->area));
    if (failed) {
        coder_fail(&set->coder, ST_MALFORMED);
        return (struct slice){0};
    }
    return col->distinct ? col->distinct[number] : reader_take(&col->area, (size_t)number);
}

static void pass(struct beside *beside, int64_t number) {
    beside->number = number;
    bool is_instant = number > INSTANT_MIN_MS && number < INSTANT_MAX_MS;
    if (is_instant) beside->day = number / DAY_MS;
}

struct value column_value(struct columns *set, struct value_column *col, struct value value,
                          struct beside *beside) {
    struct value v = {.kind =
                          (enum value_kind)column_number(set, &col->kinds, value.kind, VALUE_TEXT)};
    if (v.kind == VALUE_INT) {
        v.number = column_related(set, &col->numbers, value.number, beside);
        pass(beside, v.number);
    }
    if (v.kind == VALUE_TEXT) v.text = column_text(set, &col->texts, value.text);
    return v;
}

/* ------------------------------------------------------------------ writing texts */

struct text_index {  /* distinct texts in order of appearance */
    uint32_t *slots; /* place + 1, by hash; a power of two */
    size_t slot_count;
    struct slice *distinct;
    size_t distinct_count;
};

static uint64_t hash_text(struct slice s) {
    uint64_t h = 0xCBF29CE484222325u; /* FNV-1a */
    for (size_t i = 0; i < s.len; i++) h = (h ^ s.data[i]) * 0x100000001B3u;
    return h ^ h >> 29;
}

static size_t find_text(struct text_index *index, struct slice s) {
    size_t slot = (size_t)hash_text(s) & (index->slot_count - 1);
    while (index->slots[slot] != 0) {
        size_t place = index->slots[slot] - 1;
        if (slice_equal(index->distinct[place], s)) return place;
        slot = (slot + 1) & (index->slot_count - 1);
    }
    index->distinct[index->distinct_count++] = s;
    index->slots[slot] = (uint32_t)index->distinct_count;
    return index->distinct_count - 1;
}

static void write_lengths(const struct slice *texts, size_t count, struct arena *mem,
                          struct buf *out) {
    int64_t *lengths = ARENA_ARRAY(mem, count, int64_t);
    if (!lengths) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) lengths[i] = (int64_t)texts[i].len;
    ints_write(lengths, NULL, count, out);
}

static void write_area(const struct slice *texts, size_t count, struct buf *area) {
    for (size_t i = 0; i < count; i++) buf_put_slice(area, texts[i]);
}

static size_t bytes_of(const struct slice *texts, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) bytes += texts[i].len;
    return bytes;
}

/* texts[count] once each where that halves them, else one behind the other. */
static void write_texts(const struct slice *texts, size_t count, struct buf *out,
                        struct buf *area) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct text_index index = {.slot_count = 4};
    while (index.slot_count < 2 * count) index.slot_count *= 2;
    index.slots = ARENA_ARRAY(&mem, index.slot_count, uint32_t);
    index.distinct = ARENA_ARRAY(&mem, count, struct slice);
    int64_t *places = ARENA_ARRAY(&mem, count, int64_t);
    if (!index.slots || !index.distinct || !places) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) places[i] = (int64_t)find_text(&index, texts[i]);
    bool once = index.distinct_count <= count / DISTINCT_SHARE;
    const struct slice *kept = once ? index.distinct : texts;
    size_t kept_count = once ? index.distinct_count : count;
    buf_put_varint(out, once ? TEXTS_DISTINCT : TEXTS_PLAIN);
    buf_put_varint(out, bytes_of(kept, kept_count));
    if (once) buf_put_varint(out, kept_count);
    write_lengths(kept, kept_count, &mem, out);
    if (once) ints_write(places, NULL, count, out);
    write_area(kept, kept_count, area);
}

/* ------------------------------------------------------------------ beginning and end of a set */

static void write_column(const struct column *col, struct buf *numbers, struct buf *texts) {
    if (col->gathered.failed || col->beside.failed) {
        numbers->failed = true;
    } else if (col->kind == COLUMN_TEXTS) {
        const struct slice *values = (const struct slice *)(const void *)col->gathered.data;
        write_texts(values, col->gathered.len / sizeof *values, numbers, texts);
    } else {
        const int64_t *values = (const int64_t *)(const void *)col->gathered.data;
        const struct beside *beside = (const struct beside *)(const void *)col->beside.data;
        ints_write(values, beside, col->gathered.len / sizeof *values, numbers);
    }
}

/* Marks both ends of a stretch that is long enough for codes of its own. */
static void cut_around(struct cuts *cuts, size_t from, size_t to) {
    if (!cuts || to - from < CUT_BYTES_MIN) return;
    if (cuts->count == 0 || cuts->at[cuts->count - 1] != from) cuts_add(cuts, from);
    cuts_add(cuts, to);
}

static void move_cuts(struct cuts *cuts, size_t from_index, size_t by) {
    for (size_t i = from_index; cuts && i < cuts->count; i++) cuts->at[i] += by;
}

enum status columns_finish(struct columns *set, struct buf *out, struct cuts *cuts,
                           struct err *err) {
    SCOPED(buf_free) struct buf texts = buf_new(BUF_MAX_MESSAGE);
    struct buf *numbers = &set->prefix;
    size_t cut_first = cuts ? cuts->count : 0;
    for (struct column *col = set->first; col; col = col->next) {
        size_t before = numbers->len;
        if (!columns_failed(set) && !texts.failed) write_column(col, numbers, &texts);
        cut_around(cuts, before, numbers->len);
        buf_free(&col->gathered);
        buf_free(&col->beside);
    }
    buf_put_varint(out, numbers->len);
    move_cuts(cuts, cut_first, out->len);
    buf_put_slice(out, buf_slice(numbers));
    size_t before = out->len;
    enum status status = coder_status(&set->coder, err);
    if (status == ST_OK) status = buf_status(&texts, err);
    if (status == ST_OK) repeats_write(buf_slice(&texts), out);
    cut_around(cuts, before, out->len);
    buf_free(&set->prefix);
    return status;
}

enum status columns_close(struct columns *set, struct err *err) {
    for (const struct column *col = set->first; col && !columns_failed(set); col = col->next) {
        bool done = ints_done(&col->ints) && reader_done(&col->area);
        if (!done) coder_fail(&set->coder, ST_MALFORMED);
    }
    if (!reader_done(&set->texts)) coder_fail(&set->coder, ST_MALFORMED);
    return coder_end(&set->coder, err);
}

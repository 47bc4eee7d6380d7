/* Fields and values of enumerations that head office adds at run time: add, list, change.
 *
 * What is wrong says the catalogue (addition.h); here words become definitions, and definitions
 * tables. Names on screens are those of the catalogue, where a name that a release has taken since
 * stands with a number behind it.
 */
#include <stdio.h>
#include <string.h>

#include "protocol/model/addition.h"
#include "syncd/server/server.h"
#include "syncd/server/server_fields.h"
#include "syncd/store/centre_added.h"

enum { NEW_VALUES_MAX = 64, SCALE_MAX = 9 };

struct adding { /* a command at work */
    struct server *server;
    struct org *org;
    struct centre *c;
    const struct entity *e;
    bool trial;
};

static void adding_close(struct adding *a) {
    server_org_release(&a->org);
}

static enum status adding_open(struct server *server, struct adding *out, struct err *err) {
    out->server = server;
    out->trial = command_has(server->line, "--dry-run");
    TRY(server_org_open(server, &out->org, err));
    out->c = org_centre(out->org);
    if (server->line->word_count == 0) return ST_OK;
    return api_entity(server->cat, slice_from(server->line->words[0]), &out->e, err);
}

/* After a change the catalogue is another one. */
static const struct entity *entity_now(const struct adding *a) {
    return catalogue_entity_by_tag(centre_catalogue(a->c), a->e->tag);
}

/* ------------------------------------------------------------------ words */

static enum status type_read(const char *word, uint32_t *out, struct err *err) {
    for (uint32_t type = FIELD_TEXT; type <= FIELD_SET; type++)
        if (strcmp(word, field_type_name((enum field_type)type)) == 0) {
            *out = type;
            return ST_OK;
        }
    return err_set(
        err, ST_USAGE,
        "--type is text, note, int, decimal, money, date, time, bool, enum or set, not "
        "%s",
        "--type 须为 text、note、int、decimal、money、date、time、bool、enum 或 set，而非 %s",
        word);
}

static enum status rule_read(const char *word, uint32_t *out, struct err *err) {
    for (uint32_t rule = RULE_LAST; rule < RULE_COUNT; rule++)
        if (strcmp(word, rule_name((enum rule)rule)) == 0) {
            *out = rule;
            return ST_OK;
        }
    return err_set(
        err, ST_USAGE,
        "--rule is last, counter, max, min, set, text, owner, office, frozen or append, "
        "not %s",
        "--rule 须为 last、counter、max、min、set、text、owner、office、frozen 或 append，而非 %s",
        word);
}

/* In the unit that people write: 12.50 of money, characters of texts, elements of sets. */
static enum status limit_read(struct adding *a, const char *option, const struct added_field *f,
                              int64_t *io_limit, struct err *err) {
    const char *word = command_value(a->server->line, option);
    struct field unit = {
        .type = (enum field_type)f->type, .scale = f->scale, .label = {option, option}};
    struct value v;
    if (!word) return ST_OK;
    if (unit.type != FIELD_DECIMAL && unit.type != FIELD_MONEY) unit.type = FIELD_INT;
    TRY(field_parse(&unit, slice_from(word), 0, &a->server->mem, &v, err));
    *io_limit = v.number;
    return ST_OK;
}

/* --max alone begins at 0; --min alone has no end. */
static enum status limits_read(struct adding *a, struct added_field *f, struct err *err) {
    const struct command_line *line = a->server->line;
    bool number = f->type == FIELD_INT || f->type == FIELD_DECIMAL || f->type == FIELD_MONEY;
    bool sized = f->type == FIELD_TEXT || f->type == FIELD_NOTE || f->type == FIELD_SET;
    bool free = f->min == 0 && f->max == 0;
    TRY(limit_read(a, "--min", f, &f->min, err));
    TRY(limit_read(a, "--max", f, &f->max, err));
    if (sized && command_value(line, "--max") && f->max < 1)
        return err_set(err, ST_USAGE, "--max of texts and sets is at least 1",
                       "文字和集合的 --max 至少为 1");
    if (number && free && command_value(line, "--min") && !command_value(line, "--max"))
        f->max = INT64_MAX;
    return ST_OK;
}

static void label_read(const struct command_line *line, struct slice label[LANG_COUNT]) {
    const char *en = command_value(line, "--label"), *zh = command_value(line, "--label-zh");
    if (en) label[LANG_EN] = slice_from(en);
    if (zh) label[LANG_ZH] = slice_from(zh);
}

static enum status flags_read(const struct command_line *line, uint32_t *flags, struct err *err) {
    bool retire = command_has(line, "--retire"), restore = command_has(line, "--restore");
    if (retire && restore)
        return err_set(err, ST_USAGE, "--retire or --restore, not both",
                       "--retire 和 --restore 只能选一");
    if (retire) *flags |= ADDITION_RETIRED;
    if (restore) *flags &= ~(uint32_t)ADDITION_RETIRED;
    return ST_OK;
}

/* A colon too many, or one of a Chinese keyboard: it would hide the next value in a label. */
static bool has_separator(struct slice label) {
    static const char *const SIGNS[] = {":", "：", "，"};
    for (size_t i = 0; i < ARRAY_COUNT(SIGNS); i++)
        if (memmem(label.data, label.len, SIGNS[i], strlen(SIGNS[i]))) return true;
    return false;
}

/* "small:Small:小型,large:Large:大型" */
static enum status values_read_list(struct adding *a, struct added_value *out, size_t *out_count,
                                    struct err *err) {
    const char *words = command_value(a->server->line, "--values");
    struct slice rest = slice_from(words ? words : ""), item;
    for (*out_count = 0; rest.len > 0;) {
        struct added_value *v = &out[*out_count];
        if (!slice_cut(&rest, ',', &item)) break;
        if (*out_count == NEW_VALUES_MAX)
            return err_set(err, ST_TOO_LARGE, "at most %d values at once: add the rest later",
                           "一次最多 %d 个取值：其余请稍后添加", NEW_VALUES_MAX);
        *v = (struct added_value){.entity = a->e->tag};
        bool three = slice_cut(&item, ':', &v->name) && slice_cut(&item, ':', &v->label[LANG_EN]) &&
                     item.len > 0 && !has_separator(v->label[LANG_EN]) && !has_separator(item);
        v->label[LANG_ZH] = item;
        if (!three)
            return err_set(err, ST_USAGE,
                           "--values takes NAME:Label:名称,... with both labels of each value, "
                           "and plain : and , between them",
                           "--values 的写法：NAME:Label:名称,...，每个取值须有中英文名称，"
                           "以半角的 : 和 , 分隔");
        (*out_count)++;
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ tables */

static void put_limits(struct listing *l, const struct field *f) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    unsigned scale = f->type == FIELD_MONEY ? 2 : f->type == FIELD_DECIMAL ? f->scale : 0;
    if (f->max == INT64_MAX) {
        buf_put_text(&text, ">=");
        buf_put_decimal(&text, f->min, scale);
    } else if (f->min != 0 || f->max != 0) {
        buf_put_decimal(&text, f->min, scale);
        buf_put_text(&text, "..");
        buf_put_decimal(&text, f->max, scale);
    }
    listing_text(l, buf_slice(&text));
}

/* Names need no escapes in JSON. */
static void put_values(struct listing *l, const struct server *server,
                       const struct enumeration *values) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    for (size_t i = 0; server->json && values && i < values->count; i++)
        if (!values->values[i].retired)
            buf_printf(&text, "%s\"%s\"", text.len > 0 ? "," : "[", values->values[i].name);
    if (text.len > 0) buf_put_byte(&text, ']');
    if (server->json) {
        listing_json(l, buf_slice(&text));
        return;
    }
    for (size_t i = 0; values && i < values->count; i++) {
        if (values->values[i].retired) continue;
        buf_printf(&text, "%s%s", text.len > 0 ? server_say(server, ", ", "、") : "",
                   values->values[i].name);
    }
    listing_text(l, buf_slice(&text));
}

static void put_state(struct listing *l, const struct server *server, bool retired) {
    if (server->json)
        listing_bool(l, retired);
    else
        listing_string(l, retired ? server_say(server, "retired", "已停用") : "");
}

static void put_field(struct listing *l, const struct server *server, const struct entity *e,
                      const struct field *f) {
    SCOPED(buf_free) struct buf type = buf_new(BUF_MAX_LINE);
    buf_put_text(&type, field_type_name(f->type));
    if (f->type == FIELD_SET) buf_printf(&type, " of %s", field_type_name(f->set_of));
    listing_string(l, e->name);
    listing_string(l, f->name);
    listing_int(l, f->tag);
    listing_text(l, buf_slice(&type));
    listing_string(l, rule_name(f->rule));
    listing_string(l, f->label[LANG_EN]);
    listing_string(l, f->label[LANG_ZH]);
    put_limits(l, f);
    put_values(l, server, f->values);
    put_state(l, server, f->retired);
}

static enum status fields_open(struct server *server, bool one, struct listing **out,
                               struct err *err) {
    static const struct listing_column COLUMNS[] = {{"entity", {"Of", "所属"}},
                                                    {"name", {"Field", "字段"}},
                                                    {"tag", {NULL, NULL}},
                                                    {"type", {"Type", "类型"}},
                                                    {"rule", {"Rule", "规则"}},
                                                    {"label", {"Label", "英文名称"}},
                                                    {"label_zh", {"Chinese", "中文名称"}},
                                                    {"limits", {"Limits", "限制"}},
                                                    {"values", {"Values", "取值"}},
                                                    {"retired", {"State", "状态"}}};
    return listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), one, out, err);
}

/* What became of an order, once it is in the book: or of a trial, what was asked for. */
static enum status field_print(const struct adding *a, uint32_t tag, struct err *err) {
    SCOPED(listing_release) struct listing *l = NULL;
    const struct entity *e = entity_now(a);
    const struct field *f = entity_field_by_tag(e, tag);
    if (a->trial) {
        if (a->server->json) (void)fputs("{\"dry_run\":true}\n", stdout);
        server_tell(a->server, "it could be done; nothing was written", "可以执行；未作任何改动");
        return ST_OK;
    }
    if (!f) return err_set(err, ST_INTERNAL, "the field is not there", "该字段不存在");
    TRY(fields_open(a->server, true, &l, err));
    put_field(l, a->server, e, f);
    TRY(listing_close(&l, err));
    server_tell(a->server, "laptops have it with their next sync", "笔记本下次同步后即可使用");
    return ST_OK;
}

/* ------------------------------------------------------------------ fields */

static enum status field_read(struct adding *a, struct added_field *f, size_t value_count,
                              struct err *err) {
    const struct command_line *line = a->server->line;
    const char *type = command_value(line, "--type"), *rule = command_value(line, "--rule");
    int64_t scale;
    *f = (struct added_field){.entity = a->e->tag, .name = slice_from(line->words[1])};
    TRY(type_read(type ? type : "text", &f->type, err));
    if (f->type == FIELD_SET) f->set_of = value_count > 0 ? FIELD_ENUM : FIELD_TEXT;
    f->rule = f->type == FIELD_SET    ? RULE_SET
              : f->type == FIELD_NOTE ? RULE_TEXT /* two people's words are both kept */
                                      : RULE_LAST;
    if (rule) TRY(rule_read(rule, &f->rule, err));
    TRY(command_number(line, "--scale", 0, SCALE_MAX, f->type == FIELD_DECIMAL ? 2 : 0, &scale,
                       err));
    f->scale = (uint32_t)scale;
    label_read(line, f->label);
    if (command_has(line, "--personal")) f->flags |= ADDITION_PERSONAL;
    TRY(limits_read(a, f, err));
    bool needs = f->type == FIELD_ENUM || f->set_of == FIELD_ENUM;
    if (value_count > 0 && !needs)
        return err_set(err, ST_USAGE, "--values belongs to --type enum and --type set",
                       "--values 只用于 --type enum 和 --type set");
    return ST_OK;
}

/* Money stands in one cell with its currency. */
static enum status currency_beside(struct adding *a, const struct added_field *money,
                                   struct added_field *out, struct err *err) {
    struct arena *mem = &a->server->mem;
    const char *name =
        arena_printf(mem, "%.*s_currency", (int)money->name.len, (const char *)money->name.data);
    const char *en = arena_printf(mem, "Currency of: %.*s", (int)money->label[LANG_EN].len,
                                  (const char *)money->label[LANG_EN].data);
    const char *zh = arena_printf(mem, "%.*s币种", (int)money->label[LANG_ZH].len,
                                  (const char *)money->label[LANG_ZH].data);
    if (!name || !en || !zh) return err_no_memory(err);
    *out = (struct added_field){.entity = money->entity,
                                .type = FIELD_TEXT,
                                .rule = money->rule,
                                .flags = money->flags,
                                .max = 3,
                                .name = slice_from(name),
                                .label = {slice_from(en), slice_from(zh)}};
    return ST_OK;
}

enum status server_cmd_field_add(void *program, const struct command_line *line, struct err *err) {
    SCOPED(adding_close) struct adding a = {0};
    struct added_field fields[2];
    struct added_value values[NEW_VALUES_MAX];
    size_t count = 1, value_count;
    (void)line;
    TRY(adding_open(program, &a, err));
    TRY(values_read_list(&a, values, &value_count, err));
    TRY(field_read(&a, &fields[0], value_count, err));
    if (fields[0].type == FIELD_MONEY) {
        fields[0].group = FIELD_ADDED_FIRST; /* of two: the number comes later */
        TRY(currency_beside(&a, &fields[0], &fields[1], err));
        count = 2;
    }
    TRY(centre_added_fields(a.c, fields, count, values, value_count, a.trial, err));
    return field_print(&a, fields[0].tag, err);
}

enum status server_cmd_field_list(void *program, const struct command_line *line, struct err *err) {
    SCOPED(adding_close) struct adding a = {0};
    SCOPED(listing_release) struct listing *l = NULL;
    (void)line;
    TRY(adding_open(program, &a, err));
    const struct catalogue *cat = centre_catalogue(a.c);
    TRY(fields_open(a.server, false, &l, err));
    listing_none(l, "no field was added (roadbook-server field add)",
                 "没有新增的字段（roadbook-server field add）");
    for (size_t i = 0; i < cat->count; i++) {
        const struct entity *e = &cat->entities[i];
        for (size_t k = 0; k < e->field_count && (!a.e || a.e == e); k++)
            if (field_is_added(&e->fields[k])) put_field(l, a.server, e, &e->fields[k]);
    }
    return listing_close(&l, err);
}

static enum status find_field(struct adding *a, const struct additions *all,
                              struct added_field *out, struct err *err) {
    const struct field *f;
    TRY(api_field(a->e, slice_from(a->server->line->words[1]), &f, err));
    for (size_t i = 0; i < all->field_count; i++)
        if (all->fields[i].entity == a->e->tag && all->fields[i].tag == f->tag) {
            *out = all->fields[i];
            return ST_OK;
        }
    return err_set(err, ST_INVALID,
                   "%s%.0s is a field of the release: only added fields can be changed",
                   "%.0s“%s”是版本自带的字段：只能更改新增的字段", f->name, f->label[LANG_ZH]);
}

/* The other fields of the cell are retired, and used again, with it. */
static enum status follow_flags(struct adding *a, const struct additions *all,
                                const struct added_field *f, struct err *err) {
    for (size_t i = 0; i < all->field_count; i++) {
        struct added_field other = all->fields[i];
        bool beside = f->group != 0 && other.group == f->group && other.tag != f->tag;
        if (!beside || other.flags == f->flags) continue;
        other.flags = f->flags;
        TRY(centre_added_change(a->c, &other, a->trial, err));
    }
    return ST_OK;
}

enum status server_cmd_field_change(void *program, const struct command_line *line,
                                    struct err *err) {
    SCOPED(adding_close) struct adding a = {0};
    struct additions all;
    struct added_field f;
    TRY(adding_open(program, &a, err));
    TRY(centre_added(a.c, &a.server->mem, &all, err));
    TRY(find_field(&a, &all, &f, err));
    label_read(line, f.label);
    TRY(flags_read(line, &f.flags, err));
    if (command_has(line, "--no-limits")) f.min = f.max = 0;
    TRY(limits_read(&a, &f, err));
    TRY(centre_added_change(a.c, &f, a.trial, err));
    TRY(follow_flags(&a, &all, &f, err));
    return field_print(&a, f.tag, err);
}

/* ------------------------------------------------------------------ values */

static enum status values_print(const struct adding *a, uint32_t tag, struct err *err) {
    static const struct listing_column COLUMNS[] = {
        {"number", {NULL, NULL}},         {"name", {"Value", "取值"}},
        {"label", {"Label", "英文名称"}}, {"label_zh", {"Chinese", "中文名称"}},
        {"added", {NULL, NULL}},          {"retired", {"State", "状态"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    const struct field *f = entity_field_by_tag(entity_now(a), tag);
    TRY(listing_open(a->server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    for (size_t i = 0; f && f->values && i < f->values->count; i++) {
        const struct enum_value *v = &f->values->values[i];
        listing_int(l, v->number);
        listing_string(l, v->name);
        listing_string(l, v->label[LANG_EN]);
        listing_string(l, v->label[LANG_ZH]);
        listing_bool(l, v->number >= FIELD_ADDED_FIRST);
        put_state(l, a->server, v->retired);
    }
    return listing_close(&l, err);
}

static enum status enum_field(struct adding *a, const struct field **out, struct err *err) {
    TRY(api_field(a->e, slice_from(a->server->line->words[1]), out, err));
    if ((*out)->values) return ST_OK;
    return err_set(
        err, ST_INVALID, "%s%.0s is no enumeration: values belong to enums and sets of them",
        "%.0s“%s”不是枚举：取值只用于枚举及其集合", (*out)->name, (*out)->label[LANG_ZH]);
}

static enum status value_done(const struct adding *a, uint32_t tag, struct err *err) {
    if (a->trial) return field_print(a, tag, err);
    return values_print(a, tag, err);
}

enum status server_cmd_value_add(void *program, const struct command_line *line, struct err *err) {
    SCOPED(adding_close) struct adding a = {0};
    const struct field *f;
    TRY(adding_open(program, &a, err));
    TRY(enum_field(&a, &f, err));
    struct added_value v = {
        .entity = a.e->tag, .field = f->tag, .name = slice_from(line->words[2])};
    label_read(line, v.label);
    TRY(centre_added_value(a.c, &v, a.trial, err));
    return value_done(&a, f->tag, err);
}

enum status server_cmd_value_list(void *program, const struct command_line *line, struct err *err) {
    SCOPED(adding_close) struct adding a = {0};
    const struct field *f;
    (void)line;
    TRY(adding_open(program, &a, err));
    TRY(enum_field(&a, &f, err));
    return values_print(&a, f->tag, err);
}

static enum status find_value(struct adding *a, const struct field *f, struct added_value *out,
                              struct err *err) {
    const char *name = a->server->line->words[2];
    const struct enum_value *v = enum_by_text(f->values, slice_from(name));
    struct additions all;
    TRY(centre_added(a->c, &a->server->mem, &all, err));
    for (size_t i = 0; v && i < all.value_count; i++)
        if (all.values[i].entity == a->e->tag && all.values[i].field == f->tag &&
            all.values[i].number == v->number) {
            *out = all.values[i];
            return ST_OK;
        }
    return v ? err_set(err, ST_INVALID,
                       "%s is a value of the release: only added values can be changed",
                       "%s 是版本自带的取值：只能更改新增的取值", name)
             : err_set(err, ST_NOT_FOUND, "%s has no value %s (roadbook-server value list)",
                       "%s 没有取值 %s（见 roadbook-server value list）", f->name, name);
}

enum status server_cmd_value_change(void *program, const struct command_line *line,
                                    struct err *err) {
    SCOPED(adding_close) struct adding a = {0};
    struct added_value v;
    const struct field *f;
    TRY(adding_open(program, &a, err));
    TRY(enum_field(&a, &f, err));
    TRY(find_value(&a, f, &v, err));
    label_read(line, v.label);
    TRY(flags_read(line, &v.flags, err));
    TRY(centre_added_value_change(a.c, &v, a.trial, err));
    return value_done(&a, f->tag, err);
}

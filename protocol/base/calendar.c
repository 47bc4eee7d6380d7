/* Dates and instants, without asking the machine for its zone.
 *
 * Source: days from civil and back after Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"; instants after RFC 3339, with the freedoms that people take: a blank for the T, no
 * seconds, no zone.
 */
#include "protocol/base/base.h"

enum {
    DAYS_PER_ERA = 146097,  /* 400 years */
    DAYS_TO_EPOCH = 719468, /* from 0000-03-01 to 1970-01-01 */
    DAYS_MAX = 365000000    /* about a million years, so that every year fits */
};

static const int64_t MS_PER_DAY = 86400000;

int64_t days_from_civil(int year, unsigned month, unsigned day) {
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = (int64_t)month + (month > 2 ? -3 : 9);
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

/* Days further than a million years away become that far: a damaged number must not break a page.
 */
static int64_t clamp_days(int64_t days) {
    if (days > DAYS_MAX) return DAYS_MAX;
    return days < -DAYS_MAX ? -DAYS_MAX : days;
}

void civil_from_days(int64_t days, int *out_year, unsigned *out_month, unsigned *out_day) {
    int64_t z = clamp_days(days) + DAYS_TO_EPOCH;
    int64_t era = (z >= 0 ? z : z - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = z - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march + (month_from_march < 10 ? 3 : -9);
    *out_day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *out_month = (unsigned)month;
    *out_year = (int)(year_of_era + era * 400 + (month <= 2));
}

/* ------------------------------------------------------------------ reading */

static bool next_is(const struct slice *s, char wanted) {
    return s->len > 0 && s->data[0] == (uint8_t)wanted;
}

static bool cut_char(struct slice *s, char wanted) {
    if (!next_is(s, wanted)) return false;
    s->data++;
    s->len--;
    return true;
}

/* Cuts a number of least to most digits. */
static bool cut_digits(struct slice *s, size_t least, size_t most, unsigned *out) {
    unsigned value = 0;
    size_t count = 0;
    while (count < most && s->len > 0 && s->data[0] >= '0' && s->data[0] <= '9') {
        value = value * 10 + (s->data[0] - (unsigned)'0');
        s->data++;
        s->len--;
        count++;
    }
    if (count < least) return false;
    *out = value;
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* month and day after the year: -03-01, /3/1 or 0301. */
static bool cut_month_and_day(struct slice *s, unsigned *out_month, unsigned *out_day) {
    char separator = next_is(s, '-') ? '-' : '/';
    if (!cut_char(s, separator)) {
        return cut_digits(s, 2, 2, out_month) && cut_digits(s, 2, 2, out_day);
    }
    return cut_digits(s, 1, 2, out_month) && cut_char(s, separator) && cut_digits(s, 1, 2, out_day);
}

static bool cut_date(struct slice *s, int64_t *out_days) {
    unsigned year, month, day;
    if (!cut_digits(s, 4, 4, &year) || !cut_month_and_day(s, &month, &day)) return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
    *out_days = days_from_civil((int)year, month, day);
    return true;
}

struct clock_time {
    unsigned hour, minute, second, ms;
};

/* Digits behind the third are finer than we keep. */
static bool cut_fraction(struct slice *s, unsigned *out_ms) {
    size_t before = s->len;
    unsigned value;
    if (!cut_digits(s, 1, 3, &value)) return false;
    for (size_t digits = before - s->len; digits < 3; digits++) value *= 10;
    while (s->len > 0 && s->data[0] >= '0' && s->data[0] <= '9')
        (void)cut_char(s, (char)s->data[0]);
    *out_ms = value;
    return true;
}

static bool cut_clock(struct slice *s, struct clock_time *out) {
    struct clock_time t = {0};
    if (!cut_char(s, 'T') && !cut_char(s, 't') && !cut_char(s, ' ')) return false;
    if (!cut_digits(s, 2, 2, &t.hour) || !cut_char(s, ':') || !cut_digits(s, 2, 2, &t.minute)) {
        return false;
    }
    if (cut_char(s, ':')) {
        if (!cut_digits(s, 2, 2, &t.second)) return false;
        if (cut_char(s, '.') && !cut_fraction(s, &t.ms)) return false;
    }
    if (t.hour > 23 || t.minute > 59 || t.second > 60) return false;
    *out = t;
    return true;
}

/* Cuts Z, +08:00 or -0330; leaves *offset_minutes alone when there is nothing left. */
static bool cut_zone(struct slice *s, int *offset_minutes) {
    if (s->len == 0) return true;
    if (cut_char(s, 'Z') || cut_char(s, 'z')) {
        *offset_minutes = 0;
        return true;
    }
    bool west = next_is(s, '-');
    unsigned hours, minutes;
    if (!cut_char(s, west ? '-' : '+') || !cut_digits(s, 2, 2, &hours)) return false;
    (void)cut_char(s, ':');
    if (!cut_digits(s, 2, 2, &minutes) || hours > 23 || minutes > 59) return false;
    int offset = (int)(hours * 60 + minutes);
    *offset_minutes = west ? -offset : offset;
    return true;
}

static int64_t floor_mod(int64_t value, int64_t by) {
    int64_t rest = value % by;
    return rest < 0 ? rest + by : rest;
}

/* Date as written and the instant, of the whole of s. */
static bool parse(struct slice s, int offset_minutes, int64_t *out_days, int64_t *out_unix_ms) {
    int64_t days;
    struct clock_time t = {0};
    if (!cut_date(&s, &days)) return false;
    if (s.len > 0 && (!cut_clock(&s, &t) || !cut_zone(&s, &offset_minutes))) return false;
    if (s.len > 0) return false;
    int64_t minutes = (int64_t)t.hour * 60 + t.minute - offset_minutes;
    int64_t whole_ms = days * MS_PER_DAY + (minutes * 60 + t.second) * 1000;
    /* A leap second stands before midnight UTC and counts as the second after it. */
    if (t.second == 60 && floor_mod(whole_ms, MS_PER_DAY) != 0) return false;
    *out_days = days;
    *out_unix_ms = whole_ms + t.ms;
    return true;
}

bool date_parse(struct slice s, int64_t *out_days) {
    int64_t days, unix_ms;
    if (!parse(s, 0, &days, &unix_ms)) return false;
    *out_days = days;
    return true;
}

bool time_parse(struct slice s, int offset_minutes, int64_t *out_unix_ms) {
    int64_t days, unix_ms;
    if (!parse(s, offset_minutes, &days, &unix_ms)) return false;
    *out_unix_ms = unix_ms;
    return true;
}

/* ------------------------------------------------------------------ writing */

void buf_put_date(struct buf *buf, int64_t days) {
    int year;
    unsigned month, day;
    civil_from_days(days, &year, &month, &day);
    buf_printf(buf, "%04d-%02u-%02u", year, month, day);
}

static void put_zone(struct buf *buf, int offset_minutes) {
    if (offset_minutes == 0) {
        buf_put_byte(buf, 'Z');
        return;
    }
    int size = offset_minutes < 0 ? -offset_minutes : offset_minutes;
    buf_printf(buf, "%c%02d:%02d", offset_minutes < 0 ? '-' : '+', size / 60, size % 60);
}

/* The day is split off before the offset is added, so that no instant can overflow. */
void buf_put_time(struct buf *buf, int64_t unix_ms, int offset_minutes) {
    int64_t ms = floor_mod(unix_ms, MS_PER_DAY);
    int64_t days = unix_ms / MS_PER_DAY - (unix_ms % MS_PER_DAY < 0);
    ms += (int64_t)offset_minutes * 60000;
    days += ms / MS_PER_DAY - (ms % MS_PER_DAY < 0);
    int second = (int)(floor_mod(ms, MS_PER_DAY) / 1000);
    buf_put_date(buf, days);
    buf_printf(buf, "T%02d:%02d:%02d", second / 3600, second / 60 % 60, second % 60);
    put_zone(buf, offset_minutes);
}

/* Session keys and last contacts in memory, written to the store together now and then.
 *
 * A key that was agreed on a moment ago is good at once; a crash before it is written costs the
 * laptop one more hello, so that no hello waits for the disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/server/service_private.h"

enum { SLOTS_FIRST = 64, CONTACTS_AT_ONCE = 512 };

enum status service_devices_open(struct service_devices *devices, struct err *err) {
    devices->lock = platform_mutex_new();
    devices->slots = calloc(SLOTS_FIRST, sizeof *devices->slots);
    if (!devices->lock || !devices->slots) return err_no_memory(err);
    devices->slot_count = SLOTS_FIRST;
    return ST_OK;
}

void service_devices_close(struct service_devices *devices) {
    if (devices->slots) bytes_wipe(devices->slots, devices->slot_count * sizeof *devices->slots);
    free(devices->slots);
    platform_mutex_free(devices->lock);
}

/* The device's slot, or the free one where it belongs. */
static struct service_device *slot_find(struct service_device *slots, size_t count,
                                        uint32_t number) {
    size_t at = ((size_t)number * 2654435761u) & (count - 1);
    while (slots[at].number != 0 && slots[at].number != number) at = (at + 1) & (count - 1);
    return &slots[at];
}

static bool grow(struct service_devices *devices) {
    size_t count = devices->slot_count * 2;
    struct service_device *slots = calloc(count, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < devices->slot_count; i++) {
        const struct service_device *old = &devices->slots[i];
        if (old->number) *slot_find(slots, count, old->number) = *old;
    }
    bytes_wipe(devices->slots, devices->slot_count * sizeof *devices->slots);
    free(devices->slots);
    devices->slots = slots;
    devices->slot_count = count;
    return true;
}

/* NULL when memory is exhausted. */
static struct service_device *slot_take(struct service_devices *devices, uint32_t number) {
    struct service_device *slot = slot_find(devices->slots, devices->slot_count, number);
    if (slot->number) return slot;
    if ((devices->used_count + 1) * 2 > devices->slot_count) {
        if (!grow(devices)) return NULL;
        slot = slot_find(devices->slots, devices->slot_count, number);
    }
    slot->number = number;
    devices->used_count++;
    return slot;
}

bool service_devices_key(struct service_devices *devices, const struct centre_device *known,
                         int64_t key_changes, int64_t now_ms, uint8_t out_key[MAC_BYTES]) {
    platform_lock(devices->lock);
    const struct service_device *slot =
        slot_find(devices->slots, devices->slot_count, known->number);
    bool mine = slot->number != 0 && slot->has_key && slot->key_changes == key_changes;
    const uint8_t *key = mine ? slot->key : known->key;
    int64_t until = mine ? slot->key_until_ms : known->key_until_ms;
    bool good = (mine || known->has_key) && now_ms <= until + SERVICE_KEY_SLACK_MS;
    if (good) memcpy(out_key, key, MAC_BYTES);
    platform_release(devices->lock);
    return good;
}

enum status service_devices_key_set(struct service_devices *devices,
                                    const struct hello_request *hello, const uint8_t key[MAC_BYTES],
                                    int64_t key_changes, int64_t until_ms, struct err *err) {
    platform_lock(devices->lock);
    struct service_device *slot = slot_take(devices, hello->device);
    if (slot) {
        slot->has_key = slot->key_is_new = true;
        memcpy(slot->key, key, MAC_BYTES);
        slot->key_until_ms = until_ms;
        slot->key_changes = key_changes;
        slot->catalogue = hello->catalogue;
        struct slice release = text_prefix(hello->release, sizeof slot->release - 1);
        memset(slot->release, 0, sizeof slot->release);
        if (release.len) memcpy(slot->release, release.data, release.len);
    }
    platform_release(devices->lock);
    return slot ? ST_OK : err_no_memory(err);
}

/* The slot of a device that was here just now, with what the book knows of it. NULL: no memory. */
static struct service_device *slot_seen(struct service_devices *devices,
                                        const struct centre_device *known, int64_t now_ms) {
    struct service_device *slot = slot_take(devices, known->number);
    if (!slot) return NULL;
    if (slot->seen_ms == 0) {
        slot->cursor = known->cursor;
        slot->offset_ms = known->offset_ms;
    }
    slot->seen_is_new = true;
    slot->seen_ms = now_ms;
    return slot;
}

void service_devices_seen(struct service_devices *devices, const struct centre_device *known,
                          int64_t now_ms, const struct round_request *round, bool in_epoch) {
    platform_lock(devices->lock);
    struct service_device *slot = slot_seen(devices, known, now_ms);
    if (slot) slot->offset_ms = round->envelope.now.wall_ms - now_ms;
    if (slot && in_epoch && round->cursor.seq > 0) slot->cursor = round->cursor.seq;
    if (slot && round->has_report) {
        slot->report_is_new = true;
        slot->report = round->report;
    }
    platform_release(devices->lock);
}

void service_devices_waited(struct service_devices *devices, const struct centre_device *known,
                            int64_t now_ms, int64_t seq) {
    platform_lock(devices->lock);
    const struct service_device *slot =
        slot_find(devices->slots, devices->slot_count, known->number);
    int64_t cursor = slot->seen_ms > 0 ? slot->cursor : known->cursor;
    struct service_device *news = seq > cursor ? slot_seen(devices, known, now_ms) : NULL;
    if (news) news->cursor = seq;
    platform_release(devices->lock);
}

/* ------------------------------------------------------------------ what a laptop may do */

static int64_t tokens_take(struct service_device *slot, uint32_t per_s, uint32_t tokens,
                           int64_t now_ms) {
    if (per_s == 0) return 0;
    int64_t full = (int64_t)per_s * SERVICE_BURST_S * 1000, want = (int64_t)tokens * 1000;
    int64_t passed = slot->tokens_ms == 0 ? SERVICE_BURST_S * 1000 : now_ms - slot->tokens_ms;
    if (passed > SERVICE_BURST_S * 1000) passed = SERVICE_BURST_S * 1000;
    slot->tokens_milli += passed * per_s;
    if (slot->tokens_milli > full) slot->tokens_milli = full;
    slot->tokens_ms = now_ms;
    if (slot->tokens_milli < want) return (want - slot->tokens_milli) / per_s + 1;
    slot->tokens_milli -= want;
    return 0;
}

int64_t service_devices_enter(struct service_devices *devices, const struct service_config *config,
                              uint32_t number, uint32_t tokens) {
    enum { CALLS_WAIT_MS = 2000 };
    int64_t now = config->env->boot_ms(config->env->ctx), wait_ms = CALLS_WAIT_MS;
    uint32_t max = config->device_calls_max;
    platform_lock(devices->lock);
    struct service_device *slot = slot_take(devices, number);
    if (slot && (max == 0 || slot->calls < max))
        wait_ms = tokens_take(slot, config->device_requests_s, tokens, now);
    if (slot && wait_ms == 0) slot->calls++;
    platform_release(devices->lock);
    return wait_ms;
}

void service_devices_leave(struct service_devices *devices, uint32_t number) {
    platform_lock(devices->lock);
    slot_find(devices->slots, devices->slot_count, number)->calls--;
    platform_release(devices->lock);
}

/* ------------------------------------------------------------------ writing */

/* Copies what is new of up to CONTACTS_AT_ONCE slots from *at on, and marks it as written. */
static size_t take_new(struct service_devices *devices, size_t *at, struct service_device *out) {
    size_t count = 0;
    platform_lock(devices->lock);
    for (; *at < devices->slot_count && count < CONTACTS_AT_ONCE; (*at)++) {
        struct service_device *slot = &devices->slots[*at];
        if (!slot->key_is_new && !slot->seen_is_new) continue;
        out[count++] = *slot;
        slot->key_is_new = slot->seen_is_new = slot->report_is_new = false;
    }
    platform_release(devices->lock);
    return count;
}

/* What cannot be written is only news of little weight: the next contact brings it again. */
static void write_new(struct centre *centre, const struct service_device *news, size_t count) {
    struct centre_contact contacts[CONTACTS_AT_ONCE];
    size_t contact_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct service_device *d = &news[i];
        if (d->key_is_new)
            (void)centre_device_key(centre, d->number, d->key, d->key_until_ms,
                                    slice_from(d->release), &d->catalogue, d->key_changes, NULL);
        if (d->seen_is_new)
            contacts[contact_count++] = (struct centre_contact){.device = d->number,
                                                                .seen_ms = d->seen_ms,
                                                                .cursor = d->cursor,
                                                                .offset_ms = d->offset_ms,
                                                                .has_report = d->report_is_new,
                                                                .report = d->report};
    }
    if (contact_count > 0) (void)centre_contacts(centre, contacts, contact_count, NULL);
}

void service_devices_flush(struct service_devices *devices, struct centre *centre) {
    struct service_device *news = calloc(CONTACTS_AT_ONCE, sizeof *news);
    if (!news) return;
    for (size_t at = 0, count; (count = take_new(devices, &at, news)) > 0;)
        write_new(centre, news, count);
    bytes_wipe(news, CONTACTS_AT_ONCE * sizeof *news);
    free(news);
}

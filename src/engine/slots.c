/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/slots.h"

static int newest_of(const rp_slot_t *slots, int n)
{
    int newest = 0, i;

    for (i = 0; i < n; i++) {
        newest = slots[i].used && slots[i].generation > newest ? slots[i].generation : newest;
    }
    return newest;
}

static int is_old(const rp_slot_t *slot, int newest)
{
    return slot->used && (slot->quiescing || slot->generation < newest);
}

/* A restart starts about as many processes as serve now. */
static int reserve_for(int serving, int n)
{
    int most = n / 4 > RP_SLOTS_RESERVE ? n / 4 : RP_SLOTS_RESERVE;

    return serving < RP_SLOTS_RESERVE ? RP_SLOTS_RESERVE : serving < most ? serving : most;
}

int rp_slots_must_go(const rp_slot_t *slots, int n, int mine, int *nfree)
{
    int newest = newest_of(slots, n), before_me = 0, serving = 0, i;

    *nfree = 0;
    for (i = 0; i < n; i++) {
        const rp_slot_t *s = &slots[i];

        *nfree += !s->used;
        serving += s->used && !is_old(s, newest);
        before_me += is_old(s, newest)
                     && (s->generation < slots[mine].generation || (s->generation == slots[mine].generation && i < mine));
    }
    return is_old(&slots[mine], newest) && before_me < reserve_for(serving, n) - *nfree;
}

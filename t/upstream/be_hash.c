/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4 6.2), SHA-1 (6.1) for the WebSocket handshake, base64 (RFC 4648 4), and a
 * fast pseudo-random stream. */
#include <string.h>

#include "be_int.h"

static const uint32_t k256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, unsigned n)
{
    return (x >> n) | (x << (32 - n));
}

static uint32_t rotl(uint32_t x, unsigned n)
{
    return (x << n) | (x >> (32 - n));
}

static uint32_t load32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void sha256_block(uint32_t h[8], const unsigned char *p)
{
    uint32_t w[64], v[8];
    unsigned i;
    for (i = 0; i < 16; i++) {
        w[i] = load32(p + 4 * i);
    }
    for (; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotr(a, 7) ^ rotr(a, 18) ^ (a >> 3)) + w[i - 7] +
               (rotr(b, 17) ^ rotr(b, 19) ^ (b >> 10));
    }
    memcpy(v, h, sizeof(v));
    for (i = 0; i < 64; i++) {
        uint32_t t1 = v[7] + (rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25)) +
                      ((v[4] & v[5]) ^ (~v[4] & v[6])) + k256[i] + w[i];
        uint32_t t2 = (rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22)) +
                      ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (i = 0; i < 8; i++) {
        h[i] += v[i];
    }
}

void be_sha256_init(be_sha256_t *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memset(s, 0, sizeof(*s));
    memcpy(s->h, start, sizeof(start));
}

void be_sha256_add(be_sha256_t *s, const void *data, size_t len)
{
    const unsigned char *p = data;
    s->total += len;
    if (s->fill) {
        size_t n = sizeof(s->block) - s->fill;
        n = n < len ? n : len;
        memcpy(s->block + s->fill, p, n);
        s->fill += n;
        p += n;
        len -= n;
        if (s->fill < sizeof(s->block)) {
            return;
        }
        sha256_block(s->h, s->block);
        s->fill = 0;
    }
    for (; len >= sizeof(s->block); p += sizeof(s->block), len -= sizeof(s->block)) {
        sha256_block(s->h, p);
    }
    memcpy(s->block, p, len);
    s->fill = len;
}

void be_sha256_hex(be_sha256_t *s, char hex[65])
{
    static const char digit[] = "0123456789abcdef";
    uint64_t bits = s->total * 8;
    unsigned i;
    s->block[s->fill++] = 0x80;
    if (s->fill > 56) {
        memset(s->block + s->fill, 0, sizeof(s->block) - s->fill);
        sha256_block(s->h, s->block);
        s->fill = 0;
    }
    memset(s->block + s->fill, 0, 56 - s->fill);
    for (i = 0; i < 8; i++) {
        s->block[56 + i] = (unsigned char)(bits >> (56 - 8 * i));
    }
    sha256_block(s->h, s->block);
    for (i = 0; i < 64; i++) {
        hex[i] = digit[(s->h[i / 8] >> (28 - 4 * (i % 8))) & 15];
    }
    hex[64] = '\0';
}

static void sha1_block(uint32_t h[5], const unsigned char *p)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    unsigned i;
    for (i = 0; i < 16; i++) {
        w[i] = load32(p + 4 * i);
    }
    for (; i < 80; i++) {
        w[i] = rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    }
    for (i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                     : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                              : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t t = rotl(a, 5) + f + e + w[i];
        e = d;
        d = c;
        c = rotl(b, 30);
        b = a;
        a = t;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* of at most 119 bytes: two blocks */
static void sha1_short(const char *data, size_t len, unsigned char out[20])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char block[128];
    size_t size = len < 56 ? 64 : 128;
    unsigned i;
    memset(block, 0, sizeof(block));
    memcpy(block, data, len);
    block[len] = 0x80;
    block[size - 2] = (unsigned char)(len * 8 >> 8);
    block[size - 1] = (unsigned char)(len * 8);
    sha1_block(h, block);
    if (size == 128) {
        sha1_block(h, block + 64);
    }
    for (i = 0; i < 20; i++) {
        out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
    }
}

void be_ws_accept(const char *key, size_t len, char out[29])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[119];
    unsigned char sum[21];
    unsigned i;
    len = len < 80 ? len : 80;
    memcpy(text, key, len);
    memcpy(text + len, guid, sizeof(guid) - 1);
    sha1_short(text, len + sizeof(guid) - 1, sum);
    sum[20] = 0;
    for (i = 0; i < 7; i++) {
        const unsigned char *p = sum + 3 * i;
        out[4 * i] = b64[p[0] >> 2];
        out[4 * i + 1] = b64[(p[0] & 3) << 4 | p[1] >> 4];
        out[4 * i + 2] = b64[(p[1] & 15) << 2 | p[2] >> 6];
        out[4 * i + 3] = b64[p[2] & 63];
    }
    out[27] = '=';
    out[28] = '\0';
}

uint64_t be_random_start(uint64_t seed)
{
    return seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
}

void be_random(uint64_t *state, void *buf, size_t len)
{
    unsigned char *p = buf;
    uint64_t x = *state;
    while (len) {
        size_t n = len < sizeof(x) ? len : sizeof(x);
        uint64_t v;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        v = x * 0x2545f4914f6cdd1du;
        memcpy(p, &v, n);
        p += n;
        len -= n;
    }
    *state = x;
}

/* Apart from wire.c because the generator needs it too, before anything else is built. */
#include "codec/wire.h"

/* CRC-64-AVRO of nothing, and its polynomial (Avro 1.11, "Schema Fingerprints"). */
#define RABIN_EMPTY UINT64_C(0xc15d213aa4d7a795)

uint64_t
gf_rabin64(const void *data, size_t size)
{
    uint64_t fingerprint = RABIN_EMPTY;
    const uint8_t *const bytes = data;
    for (size_t i = 0; i < size; i++) {
        uint64_t entry = (fingerprint ^ bytes[i]) & 0xff;
        for (int bit = 0; bit < 8; bit++) {
            entry = (entry >> 1) ^ (RABIN_EMPTY & -(entry & 1));
        }
        fingerprint = (fingerprint >> 8) ^ entry;
    }
    return fingerprint;
}

/* store_format PATH FORMAT: writes another format number into a store, for tests of programs that
 * meet the store of a newer one. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/rocks_private.h"

int
main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: store_format PATH FORMAT\n");
        return 64;
    }
    const struct gf_rocks_store_options options = {.path = argv[1]};
    const uint32_t format = htole32((uint32_t)strtoul(argv[2], NULL, 10));
    struct gf_store *store = NULL;
    struct gf_error error = {{0}};
    enum gf_rc rc = gf_rocks_store_open(&options, &store, &error);
    if (rc == GF_OK) {
        struct rocks_store *rocks = (struct rocks_store *)store;
        const struct rocks_key key = rocks_key_own(ROCKS_OWN_FORMAT, 0, (struct gf_span){0});
        rocks_batch_put(rocks, &key, gf_span_of(&format, sizeof(format)));
        rc = rocks_batch_write(rocks, "write of a format", &error);
        store->ops->close(store);
    }
    if (rc != GF_OK) {
        fprintf(stderr, "store_format: %s\n", error.text);
    }
    return gf_rc_exit_code(rc);
}

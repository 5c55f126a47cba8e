#include "loop/commit.h"

#include "loop/fault.h"

static enum gf_rc
flush(struct gf_sink *sink, struct gf_error *error)
{
    if (sink->ops->flush == NULL) {
        return GF_OK;
    }
    const enum gf_rc rc = sink->ops->flush(sink, error);
    if (rc != GF_E_TXN) {
        return rc;
    }
    /* Why the abort failed says more than why it was wanted: another instance has the id. */
    struct gf_error why = {{0}};
    const enum gf_rc aborted = sink->ops->abort(sink, &why);
    return aborted == GF_OK ? rc : gf_fail(error, aborted, "%s", why.text);
}

enum gf_rc
gf_commit(struct gf_sink *sink, const struct gf_position *positions, uint32_t count,
          const void *fence, struct gf_error *error)
{
    gf_point(GF_POINT_PRODUCED);
    enum gf_rc rc = GF_RULE(FLUSH) ? flush(sink, error) : GF_OK;
    gf_point(GF_POINT_FLUSHED);
    if (rc == GF_OK && sink->ops->send_offsets != NULL && count > 0 && GF_RULE(OFFSETS)) {
        rc = sink->ops->send_offsets(sink, positions, count, fence, error);
    }
    if (rc == GF_OK) {
        gf_point(GF_POINT_OFFSETS_SENT);
        rc = sink->ops->commit(sink, error);
    }
    gf_point(GF_POINT_COMMITTED);
    return rc;
}

#include "io/log_name.h"

#include <stdint.h>
#include <string.h>

static enum gf_rc
name_fail(const char *text, const char *what, struct gf_error *error)
{
    return gf_fail(
        error, GF_E_USAGE,
        "log \"%s\": %s; write folder:PATH or kafka:HOST:PORT, for example folder:./log or "
        "kafka:localhost:9092",
        text, what);
}

/* What is wrong with one HOST:PORT of `size` bytes; NULL when nothing is. */
static const char *
broker_refuse(const char *text, size_t size)
{
    const char *colon = memrchr(text, ':', size);
    if (size == 0) {
        return "a broker is empty";
    }
    if (colon == NULL || text[size - 1] == ']') {
        return "a broker has no port";
    }
    const size_t host_size = (size_t)(colon - text);
    if (host_size == 0) {
        return "a broker has no host";
    }
    const bool is_bracketed = text[0] == '[' && colon[-1] == ']' && host_size > 2;
    if (!is_bracketed && memchr(text, ':', host_size) != NULL) {
        return "an IPv6 address needs brackets, as in [::1]:9092";
    }
    for (size_t i = 0; i < host_size; i++) {
        if (text[i] <= ' ' || text[i] == '/' || text[i] == 0x7f) {
            return "a host has a character that no host has";
        }
    }
    uint32_t port = 0;
    for (const char *at = colon + 1; at < text + size; at++) {
        if (*at < '0' || *at > '9' || (port = port * 10 + (uint32_t)(*at - '0')) > 65535) {
            return "a port is not a number from 1 to 65535";
        }
    }
    return port == 0 ? "a port is not a number from 1 to 65535" : NULL;
}

enum gf_rc
gf_log_name_parse(const char *text, struct gf_log_name *out, struct gf_error *error)
{
    if (strncmp(text, "folder:", 7) == 0) {
        if (text[7] == '\0') {
            return name_fail(text, "the path is missing", error);
        }
        *out = (struct gf_log_name){.kind = GF_LOG_FOLDER, .rest = text + 7};
        return GF_OK;
    }
    if (strncmp(text, "kafka:", 6) != 0) {
        return name_fail(text, "its kind is missing", error);
    }
    for (const char *at = text + 6;; at++) {
        const size_t size = strcspn(at, ",");
        const char *refusal = broker_refuse(at, size);
        if (refusal != NULL) {
            return name_fail(text, refusal, error);
        }
        at += size;
        if (*at == '\0') {
            break;
        }
    }
    *out = (struct gf_log_name){.kind = GF_LOG_KAFKA, .rest = text + 6};
    return GF_OK;
}

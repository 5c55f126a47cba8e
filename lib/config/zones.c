#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "config/zones.h"

#define PATH_SIZE      1024
#define ZONE_FILE_SIZE 65536
#define DEPTH_MAX      4

struct loader {
    struct gf_zones *zones;
    uint32_t room;
    struct gf_error *error;
    uint8_t *buffer;  /* ZONE_FILE_SIZE */
    uint64_t content; /* hash of all files, whatever their order */
};

static uint32_t
name_hash(const char *name)
{
    return (uint32_t)gf_hash64(name, strlen(name), 0);
}

/* The system's zoneinfo holds each zone again under these, with other leap seconds, and files that
 * are not names. */
static bool
is_skipped(const char *entry, bool is_top)
{
    static const char *const names[] = {"posix", "right", "localtime", "posixrules"};
    for (size_t index = 0; is_top && index < sizeof(names) / sizeof(names[0]); index++) {
        if (strcmp(entry, names[index]) == 0) {
            return true;
        }
    }
    return entry[0] == '.';
}

/* A zone that cannot be read now is no zone that is not there: what is folded hangs on it. */
static bool
is_shortage(void)
{
    return errno == ENOMEM || errno == EMFILE || errno == ENFILE;
}

static enum gf_rc
shortage_fail(struct gf_error *error)
{
    return gf_fail(error, errno == ENOMEM ? GF_E_NO_MEMORY : GF_E_IO, "time zones: %s",
                   strerror(errno));
}

/* Bytes read, 0 when it is no zone file, -1 when nothing can be read now. */
static ssize_t
zone_file_read(int folder, const char *name, uint8_t *buffer)
{
    const int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return is_shortage() ? -1 : 0;
    }
    const ssize_t size = read(file, buffer, ZONE_FILE_SIZE);
    close(file);
    return size >= 44 && size < ZONE_FILE_SIZE && memcmp(buffer, "TZif", 4) == 0 ? size : 0;
}

static struct gf_zone *
zone_new(struct loader *loader)
{
    struct gf_zones *const zones = loader->zones;
    if (zones->count == loader->room) {
        const uint32_t room = loader->room == 0 ? 640 : 2 * loader->room;
        struct gf_zone *const items = realloc(zones->items, room * sizeof(*items));
        if (items == NULL) {
            return NULL;
        }
        zones->items = items;
        loader->room = room;
    }
    return &zones->items[zones->count];
}

static enum gf_rc
zone_load(struct loader *loader, int folder, const char *entry, const char *name)
{
    const ssize_t read = zone_file_read(folder, entry, loader->buffer);
    if (read < 0) {
        return shortage_fail(loader->error);
    }
    const size_t size = (size_t)read;
    if (size == 0 || strlen(name) >= GF_ZONE_NAME_SIZE) {
        return GF_OK;
    }
    struct gf_zone *const zone = zone_new(loader);
    if (zone == NULL) {
        return gf_fail(loader->error, GF_E_NO_MEMORY, "time zones: out of memory");
    }
    struct gf_error why;
    if (gf_zone_parse(name, loader->buffer, size, zone, &why) != GF_OK) {
        return gf_fail(loader->error, GF_E_CONFIG, "time zone file cannot be used: %s", why.text);
    }
    loader->content ^= gf_hash64(loader->buffer, size, name_hash(name));
    loader->zones->count++;
    return GF_OK;
}

/* `prefix` is the part of the name that the folders so far make: "America/". Takes `descriptor`. */
static enum gf_rc
folder_load(struct loader *loader, int descriptor, const char *prefix, uint32_t depth)
{
    DIR *const folder = fdopendir(descriptor);
    if (folder == NULL) {
        const enum gf_rc failed = shortage_fail(loader->error);
        close(descriptor);
        return failed;
    }
    enum gf_rc rc = GF_OK;
    const struct dirent *entry = NULL;
    while (rc == GF_OK && (entry = readdir(folder)) != NULL) {
        char name[PATH_SIZE];
        const int length = snprintf(name, sizeof(name), "%s%s", prefix, entry->d_name);
        if (is_skipped(entry->d_name, depth == 0) || length + 1 >= (int)sizeof(name)) {
            continue;
        }
        const int inner = openat(dirfd(folder), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (inner < 0) {
            rc = zone_load(loader, dirfd(folder), entry->d_name, name);
        } else if (depth + 1 < DEPTH_MAX) {
            memcpy(name + length, "/", 2);
            rc = folder_load(loader, inner, name, depth + 1);
        } else {
            close(inner);
        }
    }
    closedir(folder);
    return rc;
}

static int
zone_compare(const void *a, const void *b)
{
    const struct gf_zone *const *const left = a, *const *const right = b;
    const uint32_t left_hash = name_hash((*left)->name), right_hash = name_hash((*right)->name);
    return left_hash != right_hash ? (left_hash > right_hash) - (left_hash < right_hash)
                                   : strcmp((*left)->name, (*right)->name);
}

/* Sorts pointers and copies once: a zone is 6 KB. */
static enum gf_rc
zones_sort(struct gf_zones *zones, struct gf_error *error)
{
    const struct gf_zone **const order = malloc(zones->count * sizeof(*order));
    struct gf_zone *const items = malloc(zones->count * sizeof(*items));
    zones->hashes = malloc(zones->count * sizeof(*zones->hashes));
    if (order == NULL || items == NULL || zones->hashes == NULL) {
        free(order);
        free(items);
        return gf_fail(error, GF_E_NO_MEMORY, "time zones: out of memory");
    }
    for (uint32_t index = 0; index < zones->count; index++) {
        order[index] = &zones->items[index];
    }
    qsort(order, zones->count, sizeof(*order), zone_compare);
    enum gf_rc rc = GF_OK;
    for (uint32_t index = 0; index < zones->count; index++) {
        items[index] = *order[index];
        zones->hashes[index] = name_hash(items[index].name);
        if (index > 0 && zones->hashes[index] == zones->hashes[index - 1]) {
            rc = gf_fail(error, GF_E_CONFIG,
                         "time zones %s and %s have the same hash; remove one of the files",
                         items[index - 1].name, items[index].name);
        }
    }
    free(order);
    free(zones->items);
    zones->items = items;
    return rc;
}

/* "# version 2026f" in tzdata.zi, or "2026f" in +VERSION. */
static enum gf_rc
version_read(const char *folder, uint64_t content, char *out, struct gf_error *error)
{
    static const char *const files[] = {"tzdata.zi", "+VERSION"};
    for (size_t index = 0; index < 2; index++) {
        char path[PATH_SIZE], line[128] = "", version[32] = "";
        snprintf(path, sizeof(path), "%s/%s", folder, files[index]);
        FILE *const file = fopen(path, "r");
        if (file == NULL && is_shortage()) {
            return shortage_fail(error);
        }
        const bool has_line = file != NULL && fgets(line, sizeof(line), file) != NULL;
        if (file != NULL) {
            fclose(file);
        }
        if (has_line && sscanf(line, index == 0 ? "# version %31s" : "%31s", version) == 1) {
            snprintf(out, GF_ZONES_VERSION_SIZE, "%s", version);
            return GF_OK;
        }
    }
    snprintf(out, GF_ZONES_VERSION_SIZE, "hash-%016" PRIx64, content);
    return GF_OK;
}

/* A system without the file still knows UTC. */
static enum gf_rc
utc_add(struct loader *loader)
{
    for (uint32_t index = 0; index < loader->zones->count; index++) {
        if (strcmp(loader->zones->items[index].name, "UTC") == 0) {
            return GF_OK;
        }
    }
    struct gf_zone *const zone = zone_new(loader);
    if (zone == NULL) {
        return gf_fail(loader->error, GF_E_NO_MEMORY, "time zones: out of memory");
    }
    *zone = *gf_zone_utc();
    snprintf(zone->name, sizeof(zone->name), "UTC");
    loader->zones->count++;
    return GF_OK;
}

enum gf_rc
gf_zones_load(const char *folder, struct gf_zones *out, struct gf_error *error)
{
    folder = folder != NULL ? folder : GF_ZONES_FOLDER;
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return gf_fail(error, GF_E_CONFIG, "%s: cannot be opened: %s; install the package tzdata",
                       folder, strerror(errno));
    }
    struct gf_zones zones = {.count = 0};
    struct loader loader = {.zones = &zones, .error = error, .buffer = malloc(ZONE_FILE_SIZE)};
    enum gf_rc rc = GF_OK;
    if (loader.buffer == NULL) {
        close(descriptor);
        rc = gf_fail(error, GF_E_NO_MEMORY, "time zones: out of memory");
    }
    rc = rc != GF_OK ? rc : folder_load(&loader, descriptor, "", 0);
    if (rc == GF_OK && zones.count == 0) {
        rc = gf_fail(error, GF_E_CONFIG, "%s: has no time zones; install the package tzdata",
                     folder);
    }
    rc = rc != GF_OK ? rc : utc_add(&loader);
    rc = rc != GF_OK ? rc : zones_sort(&zones, error);
    rc = rc != GF_OK ? rc : version_read(folder, loader.content, zones.version, error);
    free(loader.buffer);
    if (rc != GF_OK) {
        gf_zones_free(&zones);
        return rc;
    }
    *out = zones;
    return GF_OK;
}

void
gf_zones_free(struct gf_zones *zones)
{
    free(zones->items);
    free(zones->hashes);
    *zones = (struct gf_zones){.count = 0};
}

const struct gf_zone *
gf_zones_find(const struct gf_zones *zones, const char *name)
{
    const uint32_t hash = name_hash(name);
    uint32_t low = 0, high = zones->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (zones->hashes[middle] < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const bool is_found = low < zones->count && strcmp(zones->items[low].name, name) == 0;
    return is_found ? &zones->items[low] : NULL;
}

bool
gf_zone_exists(const char *folder, const char *name)
{
    uint8_t head[4] = {0};
    char path[PATH_SIZE];
    folder = folder != NULL ? folder : GF_ZONES_FOLDER;
    const int length = snprintf(path, sizeof(path), "%s/%s", folder, name);
    const bool is_name = name[0] != '\0' && name[0] != '/' && strstr(name, "..") == NULL &&
                         strlen(name) < GF_ZONE_NAME_SIZE && length < (int)sizeof(path);
    if (strcmp(name, "UTC") == 0) {
        return true;
    }
    const int file = is_name ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) {
        return false;
    }
    const bool is_zone = read(file, head, sizeof(head)) == 4 && memcmp(head, "TZif", 4) == 0;
    close(file);
    return is_zone;
}

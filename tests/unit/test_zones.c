#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "config/zones.h"

static void
test_the_systems_zones(void **state)
{
    (void)state;
    struct gf_zones zones;
    struct gf_error error = {.text = ""};
    assert_int_equal(gf_zones_load(NULL, &zones, &error), GF_OK);
    assert_true(zones.count >= 400);
    assert_true(strlen(zones.version) > 0);
    for (uint32_t index = 0; index < zones.count; index++) {
        const char *const name = zones.items[index].name;
        assert_int_equal(zones.hashes[index], (uint32_t)gf_hash64(name, strlen(name), 0));
        assert_true(index == 0 || zones.hashes[index - 1] < zones.hashes[index]);
        assert_ptr_equal(gf_zones_find(&zones, name), &zones.items[index]);
        assert_true(strncmp(name, "posix/", 6) != 0 && strncmp(name, "right/", 6) != 0);
    }
    const struct gf_zone *const berlin = gf_zones_find(&zones, "Europe/Berlin");
    assert_non_null(berlin);
    assert_int_equal(gf_zone_offset(berlin, (struct gf_time){INT64_C(1467331200) * GF_US_PER_S}),
                     7200);
    assert_non_null(gf_zones_find(&zones, "UTC"));
    assert_non_null(gf_zones_find(&zones, "America/Argentina/Buenos_Aires"));
    assert_null(gf_zones_find(&zones, "Europe/Berln"));
    assert_null(gf_zones_find(&zones, "tzdata.zi"));
    gf_zones_free(&zones);
    assert_int_equal(zones.count, 0);
}

static void
test_names_of_zones(void **state)
{
    (void)state;
    assert_true(gf_zone_exists(NULL, "Europe/Berlin"));
    assert_true(gf_zone_exists("/nowhere", "UTC"));
    assert_false(gf_zone_exists(NULL, "Europe"));
    assert_false(gf_zone_exists(NULL, "tzdata.zi"));
    assert_false(gf_zone_exists(NULL, "../zoneinfo/UTC"));
    assert_false(gf_zone_exists(NULL, "/etc/localtime"));
    assert_false(gf_zone_exists(NULL, ""));
}

static void
file_write(const char *folder, const char *name, const char *data, size_t size)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void
test_other_folders(void **state)
{
    (void)state;
    struct gf_zones zones;
    struct gf_error error;
    assert_int_equal(gf_zones_load("/nowhere", &zones, &error), GF_E_CONFIG);
    assert_non_null(strstr(error.text, "tzdata"));

    char folder[] = "/tmp/gf_test_zones_XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(gf_zones_load(folder, &zones, &error), GF_E_CONFIG); /* nothing there */

    /* A zone of nothing but its footer: UTC+1. */
    char zone[2 * 44 + 2 * 6 + 2 * 4 + 7] = {0};
    char *at = zone;
    for (int part = 0; part < 2; part++) {
        memcpy(at, "TZif2", 5);
        at[39] = 1; /* types */
        at[43] = 4; /* characters */
        at += 44;
        memcpy(at, "\0\0\x0e\x10\0\0ABC\0", 10);
        at += 10;
    }
    memcpy(at, "\nABC-1\n", 7);
    file_write(folder, "Own", zone, sizeof(zone));
    file_write(folder, "README", "no zone at all, but longer than a header of one", 47);
    assert_int_equal(gf_zones_load(folder, &zones, &error), GF_OK);
    assert_int_equal(zones.count, 2); /* UTC is always there */
    assert_int_equal(gf_zone_offset(gf_zones_find(&zones, "Own"), (struct gf_time){0}), 3600);
    assert_int_equal(strncmp(zones.version, "hash-", 5), 0);
    assert_int_equal(strlen(zones.version), 21);
    gf_zones_free(&zones);

    file_write(folder, "+VERSION", "2026z\n", 6);
    assert_int_equal(gf_zones_load(folder, &zones, &error), GF_OK);
    assert_string_equal(zones.version, "2026z");
    gf_zones_free(&zones);

    file_write(folder, "Own", zone, sizeof(zone) - 8); /* torn */
    assert_int_equal(gf_zones_load(folder, &zones, &error), GF_E_CONFIG);
    assert_non_null(strstr(error.text, "Own"));

    static const char *const names[] = {"Own", "README", "+VERSION"};
    for (size_t index = 0; index < 3; index++) {
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", folder, names[index]);
        unlink(path);
    }
    rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_systems_zones),
        cmocka_unit_test(test_names_of_zones),
        cmocka_unit_test(test_other_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "feature_maker.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct gf_recent
empty_recent(void)
{
    static struct gf_features features;
    gf_features_init(&features);
    return features.recent;
}

static struct gf_time
slot(int32_t interval_s, int64_t number)
{
    return (struct gf_time){maker_time("2016-03-01").us + number * interval_s * GF_US_PER_S};
}

static enum gf_recent_found
find(const struct gf_recent *recent, int32_t interval_s, int64_t number, int64_t micro,
     struct gf_recent_slot *out)
{
    return gf_recent_find(recent, slot(interval_s, number), interval_s, (struct gf_energy){micro},
                          out);
}

static void
test_all_lengths_tell_duplicates_from_conflicts_for_48_hours(void **state)
{
    (void)state;
    const int32_t lengths[] = {300, 450, 900, 1200, 1800, 2700, 3600, 7200, 86400};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct gf_recent recent = empty_recent();
        struct gf_recent_slot old = {0};
        const int32_t length = lengths[i];
        const int64_t count = length < 86400 ? 48 * 3600 / length : 40;
        for (int64_t number = 0; number < 3 * count; number++) {
            assert_int_equal(find(&recent, length, number, 1000 * number, &old), GF_RECENT_NEW);
            gf_recent_put(&recent, slot(length, number), length, (struct gf_energy){1000 * number},
                          false);
        }
        int64_t noticed = 0;
        for (int64_t number = 2 * count; number < 3 * count; number++) {
            assert_int_equal(find(&recent, length, number, 1000 * number, &old), GF_RECENT_SAME);
            assert_int_equal(old.value.micro_kwh, 1000 * number);
            if (find(&recent, length, number, 1001 * number, &old) == GF_RECENT_OTHER) {
                noticed++;
                assert_int_equal(old.is_exact, length >= 1800);
                assert_int_equal(old.is_known, length >= 900);
                if (length >= 1800) {
                    assert_int_equal(old.value.micro_kwh, 1000 * number);
                } else if (length >= 900) {
                    assert_true(llabs(old.value.micro_kwh - 1000 * number) <= 10 * number + 1);
                }
            }
        }
        assert_true(noticed * 100 >= count * (length >= 1800 ? 100 : length >= 900 ? 93 : 88));
        assert_int_equal(find(&recent, length, 0, 0, &old),
                         length < 86400 || 3 * count > 48 ? GF_RECENT_TOO_OLD : GF_RECENT_SAME);
    }
}

static void
test_slots_passed_over_are_empty(void **state)
{
    (void)state;
    const int32_t lengths[] = {300, 900, 1800, 3600};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct gf_recent recent = empty_recent();
        struct gf_recent_slot old;
        for (int64_t number = 0; number < 1000; number++) {
            gf_recent_put(&recent, slot(lengths[i], number), lengths[i], (struct gf_energy){5},
                          false);
        }
        gf_recent_put(&recent, slot(lengths[i], 1010), lengths[i], (struct gf_energy){5}, false);
        for (int64_t number = 1000; number < 1010; number++) {
            assert_int_equal(find(&recent, lengths[i], number, 5, &old), GF_RECENT_NEW);
        }
        assert_int_equal(find(&recent, lengths[i], 999, 5, &old), GF_RECENT_SAME);
        gf_recent_put(&recent, slot(lengths[i], 1004), lengths[i], (struct gf_energy){9}, true);
        assert_int_equal(find(&recent, lengths[i], 1004, 9, &old), GF_RECENT_SAME);
        assert_int_equal(old.is_masked, lengths[i] >= 900);
        assert_int_equal(find(&recent, lengths[i], 1010, 5, &old), GF_RECENT_SAME);
        /* A jump of more than the ring forgets everything. */
        gf_recent_put(&recent, slot(lengths[i], 100000), lengths[i], (struct gf_energy){5}, false);
        assert_int_equal(find(&recent, lengths[i], 99999, 5, &old), GF_RECENT_NEW);
        assert_int_equal(find(&recent, lengths[i], 1010, 5, &old), GF_RECENT_TOO_OLD);
    }
}

static void
test_another_length_starts_afresh(void **state)
{
    (void)state;
    struct gf_recent recent = empty_recent();
    struct gf_recent_slot old;
    gf_recent_put(&recent, slot(3600, 5), 3600, (struct gf_energy){5}, false);
    assert_int_equal(find(&recent, 900, 20, 5, &old), GF_RECENT_NEW);
    gf_recent_put(&recent, slot(900, 24), 900, (struct gf_energy){7}, false);
    assert_int_equal(find(&recent, 900, 23, 5, &old), GF_RECENT_NEW);
    assert_int_equal(find(&recent, 900, 24, 7, &old), GF_RECENT_SAME);
}

static void
test_large_values_are_kept_as_far_as_they_fit(void **state)
{
    (void)state;
    struct gf_recent recent = empty_recent();
    struct gf_recent_slot old;
    gf_recent_put(&recent, slot(1800, 1), 1800, (struct gf_energy){INT64_C(2147000000)}, false);
    assert_int_equal(find(&recent, 1800, 1, 5, &old), GF_RECENT_OTHER);
    assert_true(old.is_exact);
    assert_int_equal(old.value.micro_kwh, INT64_C(2147000000));
    gf_recent_put(&recent, slot(1800, 2), 1800, (struct gf_energy){INT64_C(9000000000)}, true);
    assert_int_equal(find(&recent, 1800, 2, 5, &old), GF_RECENT_OTHER);
    assert_false(old.is_exact);
    assert_true(old.is_masked);
    gf_recent_put(&recent, slot(3600, 3), 3600, (struct gf_energy){INT64_C(1000000000000000)},
                  true);
    assert_int_equal(find(&recent, 3600, 3, 5, &old), GF_RECENT_OTHER);
    assert_true(old.is_exact);
    assert_true(old.is_masked);
    assert_int_equal(old.value.micro_kwh, INT64_C(1000000000000000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_lengths_tell_duplicates_from_conflicts_for_48_hours),
        cmocka_unit_test(test_slots_passed_over_are_empty),
        cmocka_unit_test(test_another_length_starts_afresh),
        cmocka_unit_test(test_large_values_are_kept_as_far_as_they_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#!/usr/bin/env python3
"""Makes the sample data of the demo (data/demo/*.csv.gz) from two published files. Standard library only.

    scripts/make-demo-data.py HOURLY.csv.gz FORECASTS_DE.csv.gz [FOLDER]

HOURLY.csv.gz        17 Californian homes, 8,760 hours from 2016-07-31 23:00 local standard time on, of the CityLearn
                     project (MIT): columns load_b1, pv_b1, … load_b17, pv_b17
FORECASTS_DE.csv.gz  German day-ahead prices of 2016 with two models' forecasts, of epftoolbox (Apache-2.0): columns time
                     and real_price are used

data/demo/README.md says what is changed. The same input gives the same bytes.
"""
import csv
import datetime
import gzip
import io
import os
import sys

HOMES = 17
FIRST_HOUR = datetime.datetime(2016, 7, 31, 23)  # of the source
HOUR = datetime.timedelta(hours=1)
MOVE = datetime.timedelta(days=364)              # 52 weeks: every day keeps its weekday
MOVED_FROM = datetime.datetime(2017, 1, 2)       # the first day that is moved back
FROM, TO = datetime.datetime(2016, 1, 4), datetime.datetime(2017, 1, 2)
HOMES_EACH_STANDS_FOR = 1000                     # in the made-up region
SOLAR_SHARE = 0.30                               # of the region's energy in the year


def rows_read(path):
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def table_write(folder, name, header, rows):
    """gzip without name and time, so that equal rows are equal files."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path = os.path.join(folder, name)
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(text.getvalue().encode("ascii"))
    print(f"{path}: {len(rows)} rows, {os.path.getsize(path)} bytes")


def number(value, decimals):
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def year_make(path):
    """Hours of the demo's year, in order: [(time, row)]. Two moved days would fall on days that are there already:
    those rows are dropped, the source's own first hour (2016-07-31) and its last day (2017-07-31)."""
    hours = {}
    for index, row in enumerate(rows_read(path)):
        at = FIRST_HOUR + index * HOUR
        if at < datetime.datetime(2016, 8, 1) or at >= datetime.datetime(2017, 7, 31):
            continue
        at = at - MOVE if at >= MOVED_FROM else at
        assert at not in hours, at
        hours[at] = row
    count = int((TO - FROM) / HOUR)
    assert sorted(hours) == [FROM + index * HOUR for index in range(count)]
    return [(at, hours[at]) for at in sorted(hours)]


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    folder = sys.argv[3] if len(sys.argv) == 4 else os.path.join(os.path.dirname(__file__), "..", "data", "demo")
    os.makedirs(folder, exist_ok=True)
    year = year_make(sys.argv[1])
    homes = range(1, HOMES + 1)

    loads = [[float(row[f"load_b{home}"]) for home in homes] for _, row in year]
    assert all(load >= 0 for hour in loads for load in hour)
    table_write(folder, "homes.csv.gz", ["time"] + [f"load_b{home}" for home in homes],
                [[f"{at:%Y-%m-%d %H:%M}"] + [number(load, 3) for load in hour] for (at, _), hour in zip(year, loads)])

    demand = [sum(hour) * HOMES_EACH_STANDS_FOR for hour in loads]
    shape = [sum(float(row[f"pv_b{home}"]) for home in homes) for _, row in year]
    scale = SOLAR_SHARE * sum(demand) / sum(shape)
    sun = [hour * scale for hour in shape]
    # What could be expected at six in the evening before: yesterday's sun, last week's demand.
    sun_expected = sun[:24] + sun[:-24]
    demand_expected = demand[:168] + demand[:-168]
    table_write(folder, "supply.csv.gz", ["time", "demand_kw", "solar_kw", "demand_forecast_kw", "solar_forecast_kw"],
                [[f"{at:%Y-%m-%d %H:%M}"] + [number(value, 0) for value in values]
                 for (at, _), *values in zip(year, demand, sun, demand_expected, sun_expected)])
    print(f"highest demand {max(demand):.0f} kW, highest solar {max(sun):.0f} kW")

    prices = [[row["time"], row["real_price"]] for row in rows_read(sys.argv[2])]
    assert len(prices) == len(year) and prices[0][0] == f"{FROM:%Y-%m-%d %H:%M:%S}"
    table_write(folder, "prices.csv.gz", ["time", "real_price"], prices)


main()

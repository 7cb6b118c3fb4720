"""Cover against storm and rain at three airports, hour by hour: a whole project's rule."""

from opendepin.rules import (
    Decimal,
    count,
    histogram,
    largest,
    mean,
    quantile,
    ratio,
    total,
    windows,
)

STATIONS = ("EWR", "JFK", "LGA")
STORM = 46  # mph
EVENING = 1_359_568_800  # 2013-01-30T18:00:00Z


def compute(reading):
    station = reading.devices(STATIONS)
    gust, rain = reading["wind_gust"], reading["precip"]
    frost = reading["temp"] < 32
    gusts = histogram(gust, [30, 40, STORM, 58])
    heavy = (gust >= STORM) | (rain >= Decimal("0.3"))
    return {
        "units": count(by=station),
        "storms": count(where=gust >= STORM, by=station),
        "rain": total(rain, by=station),
        "strongest": largest(gust, by=station),
        "frost": count(where=frost, by=station),
        "mean_temp": mean(reading["temp"], by=station),
        "rain_by_quarter": total(rain, by=windows(reading.observed_s, EVENING, 5 * 3600, 4)),
        "gusts": gusts,
        "gust_p90": quantile(gusts, Decimal("0.9")),
        "claims": count(where=heavy),
        "claims_share": ratio(count(where=heavy), count()),
    }

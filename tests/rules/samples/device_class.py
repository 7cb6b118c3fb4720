"""Pay by the class of a device: a reference instrument earns three units a reading, a kit one.

Packs of three values; a reading pays only if two of its values are plausible at least.
"""

from opendepin.rules import Table, count, count_of, group_by, mean, select, total

CLASSES = Table(["reference", "kit", "kit", None, "station", "kit"])
UNITS = Table([3, 1, 1, 0, 2, 1])


def compute(reading):
    values = reading["pm"]
    plausible = (values > 0) & (values < 900)
    good = count_of(plausible) >= 2
    device_class = group_by(CLASSES.choice(reading.device), where=good)
    earned = select(good, UNITS.number(reading.device), 0)
    return {
        "units": total(earned, by=reading.devices(6)),
        "readings": count(by=device_class),
        "mean": mean(values, where=plausible, by=device_class),
        "broken": count(where=~good),
    }

# What every climate part has in common: three tries, and a count of what was refused.

TRIES = 3
# How long a part may say the same to the last digit, in readings ten seconds apart.
NOISY_STILL_READINGS = 360  # an hour: noise alone moves the last digit within minutes
COARSE_STILL_READINGS = 2160  # six hours: where a step hides the noise, an hour of fog may stand still


class ClimatePart:
    """A part asks and decodes in `async _measure(sleep_ms)`: a reading, None for an answer that it refuses, or OSError.

    `low_centi` and `high_centi` bound what the part can measure; a reading that came `still_readings` times again is stuck.
    `faults` counts tries without a reading, `fault` says what the last one was.
    """

    low_centi = -4000
    high_centi = 12500
    still_readings = NOISY_STILL_READINGS

    def __init__(self):
        self.faults = 0
        self.fault = ""

    async def read(self, sleep_ms):
        """(temperature in centi-degrees, humidity in centi-percent, None without one), or None after three tries."""
        for _ in range(TRIES):
            try:
                reading = await self._measure(sleep_ms)
                if reading is not None:
                    return reading
                self.fault = "checksum or impossible value"
            except OSError as error:  # nobody answers, the bus is stuck, or the part is another one
                self.fault = str(error)
            self.faults += 1
        return None

    async def _measure(self, sleep_ms):
        raise NotImplementedError


def clear(buffer, value=0):
    """Before a read, so that no byte of the last answer completes one that was cut short."""
    for i in range(len(buffer)):
        buffer[i] = value

# From the wiring of a kit to what its parts are made of.
#
# `wiring` are the pins and buses of node/board; those of a part begin with its role: COUNTER, CLIMATE or PROBE. What is of
# the board is handed in: `machine`, and `one_wire(pin)`, which only some kits need.

_RX_BUFFER = 1024  # seconds of any part's reports: a collection of garbage or a flash erase loses nothing


class Connections:
    """Each method gives what a part is made with; the parts' table (node/sensors/table) names the method."""

    def __init__(self, machine, one_wire, wiring):
        self._machine = machine
        self._one_wire = one_wire
        self._wiring = wiring

    def uart(self, role):
        return (self._uart(role, self._wiring[role + "_BAUD"]),)

    def two_uarts(self, role):
        baud = self._wiring[role + "_BAUD"]
        return self._uart(role + "_A", baud), self._uart(role + "_B", baud)

    def i2c(self, role):
        scl, sda = self._pin(role + "_SCL"), self._pin(role + "_SDA")
        bus = self._machine.I2C(self._wiring[role + "_I2C"], scl=scl, sda=sda, freq=self._wiring[role + "_FREQ_HZ"])
        return bus, self._wiring[role + "_ADDRESS"]

    def switches(self, role):
        pin = self._machine.Pin
        return (self._pin(role + "_A", pin.IN), self._pin(role + "_B", pin.IN)), pin.IRQ_RISING | pin.IRQ_FALLING

    def dht(self, role):
        return self._machine.dht_readinto, self._pin(role + "_DATA")

    def one_wire(self, role):
        return (self._one_wire(self._pin(role + "_DATA")),)

    def lamp(self):
        """A function that switches the LED on or off."""
        return self._pin("LAMP", self._machine.Pin.OUT).value

    def button(self):
        """A function that is 0 while the button is pressed: it connects its pin with ground."""
        return self._pin("BUTTON", self._machine.Pin.IN, self._machine.Pin.PULL_UP).value

    def battery(self):
        """A function that reads the pin's microvolts, as calibrated in the factory."""
        adc = self._machine.ADC(self._pin("BATTERY"), atten=self._machine.ADC.ATTN_11DB)  # up to 3.1 V
        return adc.read_uv

    def _pin(self, name, *how):
        return self._machine.Pin(self._wiring[name], *how)

    def _uart(self, name, baud):
        tx, rx = self._wiring[name + "_TX"], self._wiring[name + "_RX"]
        return self._machine.UART(self._wiring[name + "_UART"], baud, tx=tx, rx=rx, rxbuf=_RX_BUFFER, timeout=0)

# Made from hardware/pavement-radar/pins.json by `python3 -m tools.board`; edit that file, not this one.
KIT = "pavement-radar"
COUNTER = "ld2450"
CLIMATE = "sht4x"
PROBE = None
LOG_PARTITION = "streetlog"
WIRING = {
    "COUNTER_TX": 17,  # to HLK-LD2450 RX
    "COUNTER_RX": 16,  # to HLK-LD2450 TX
    "CLIMATE_SDA": 21,  # to SHT4x SDA
    "CLIMATE_SCL": 22,  # to SHT4x SCL
    "LAMP": 25,  # to LED, 330 ohm, GND
    "BUTTON": 27,  # to button, GND
    "BATTERY": 34,  # to middle of the battery's divider
    "COUNTER_UART": 2,
    "COUNTER_BAUD": 256000,
    "CLIMATE_I2C": 0,
    "CLIMATE_FREQ_HZ": 100000,
    "CLIMATE_ADDRESS": 68,
}

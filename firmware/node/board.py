# Made from hardware/pavement-radar/pins.json by `python3 -m tools.board`; edit that file, not this one.
KIT = "pavement-radar"
RADAR_TX = 17  # to HLK-LD2450 RX
RADAR_RX = 16  # to HLK-LD2450 TX
CLIMATE_SDA = 21  # to SHT4x SDA
CLIMATE_SCL = 22  # to SHT4x SCL
RADAR_UART = 2
RADAR_BAUD = 256000
CLIMATE_I2C = 0
CLIMATE_FREQ_HZ = 100000
CLIMATE_ADDRESS = 68
LOG_PARTITION = "streetlog"

"""What a node's link asks of its board beside the radio itself, in one process with it."""

from __future__ import annotations

from tools.air.peripheral import FLAG_NOTIFY, FLAG_WRITE, FLAG_WRITE_NO_RESPONSE, UUID, Peripheral

ESP_ERR_NVS_NOT_FOUND = -4354


class Nvs:
    """esp32.NVS in memory: what is committed stays when the power goes."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self._written: dict[str, bytes] = {}

    def get_blob(self, name: str, buffer: bytearray) -> int:
        value = self._written.get(name, self.kept.get(name))
        if value is None:
            raise OSError(ESP_ERR_NVS_NOT_FOUND)
        buffer[: len(value)] = value
        return len(value)

    def set_blob(self, name: str, value: bytes) -> None:
        self._written[name] = bytes(value)

    def commit(self) -> None:
        self.kept |= self._written
        self._written.clear()

    def power_cut(self) -> None:
        self._written.clear()


class Bluetooth:
    """MicroPython's module of that name, over one radio."""

    UUID, FLAG_WRITE, FLAG_WRITE_NO_RESPONSE, FLAG_NOTIFY = UUID, FLAG_WRITE, FLAG_WRITE_NO_RESPONSE, FLAG_NOTIFY

    def __init__(self, peripheral: Peripheral) -> None:
        self._peripheral = peripheral

    def BLE(self) -> Peripheral:  # noqa: N802  its name there
        return self._peripheral

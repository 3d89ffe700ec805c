"""Our adverts as the library of Home Assistant reads them, and what BTHome's makers publish as ours reads it.

The library is an oracle for single adverts and no more: it takes what was sent before for news.
"""

import pytest
from bleak.backends.device import BLEDevice
from bthome_ble import BTHomeBluetoothDeviceData
from ciphers import opener, sealer
from dialect import vectors
from habluetooth import BluetoothServiceInfoBleak
from hypothesis import given
from hypothesis import strategies as st

import streetwire

SERVICE = "0000fcd2-0000-1000-8000-00805f9b34fb"
GOLDEN = vectors("streetwire.json")
KEY, ADDRESS = bytes.fromhex(GOLDEN["advert_key"]), bytes.fromhex(GOLDEN["advert_address"])

# bthome.io/encryption and bthome-ble's own tests, as (what it is, address, key, service data, what is inside).
EXAMPLE_KEY = "231d39c1d7cc1ab1aee224cd096db932"
PUBLISHED = (
    ("encrypted", "5448E68F80A5", EXAMPLE_KEY, "41a47266c95f730011223378237214", {"temperature": 25.06, "humidity": 50.55}),
    ("wrong key", "A4C1388D18B2", "814aac74c4f17b6c1581e1ab87816b99", "41d2fcefe52eb212d600112233bc38c966", None),
    ("plain", "5448E68F80A5", EXAMPLE_KEY, "4002ca0903bf13", None),
)


def read_by_library(address, key, data):
    """{name: value} as bthome-ble tells it, without the signal's strength."""
    dotted = address.hex(":").upper()
    seen = BluetoothServiceInfoBleak(
        name="TR", address=dotted, rssi=-60, manufacturer_data={}, service_data={SERVICE: data}, service_uuids=[SERVICE],
        source="", device=BLEDevice(dotted, "TR", {}), advertisement=None, connectable=True, time=0.0, tx_power=None,
    )  # fmt: skip
    device = BTHomeBluetoothDeviceData(bindkey=key)
    told = device.update(seen)
    values = {name.key: value.native_value for name, value in told.entity_values.items()}
    values.pop("signal_strength", None)
    return device.bindkey_verified, values


def as_told(advert):
    values = {"count_1": advert.total_ab & 0xFFFF, "count_2": advert.total_ba & 0xFFFF}
    if advert.temperature_centi is not None:
        values["temperature"] = advert.temperature_centi / 100
    if advert.humidity_pct is not None:
        values["humidity"] = advert.humidity_pct
    return values


@pytest.mark.parametrize("row", GOLDEN["adverts"], ids=lambda row: row["name"])
def test_the_library_reads_our_golden_adverts(row):
    is_verified, values = read_by_library(ADDRESS, KEY, bytes.fromhex(row["advert"])[7:])
    assert is_verified
    assert {key: value for key, value in values.items() if key != "raw"} == as_told(streetwire.Advert(**row["fields"]))
    assert values["raw"] == f"{row['fields']['tag'].to_bytes(2, 'little').hex()}"


words = st.integers(0, 0xFFFF)


@given(
    st.integers(0, 0xFFFFFFFF), words, words, words, st.none() | st.integers(-32767, 32767), st.none() | st.integers(0, 100),
    st.binary(min_size=16, max_size=16), st.binary(min_size=6, max_size=6),
)  # fmt: skip
def test_both_read_the_same_in_any_advert(counter, tag, total_ab, total_ba, temperature_centi, humidity_pct, key, address):
    advert = streetwire.Advert(counter, tag, total_ab, total_ba, temperature_centi, humidity_pct)
    data = streetwire.pack_advert(advert, address, sealer(key))[7:]
    assert streetwire.unpack_advert(data, address, opener(key)) == advert
    is_verified, values = read_by_library(address, key, data)
    assert is_verified
    assert {key: value for key, value in values.items() if key != "raw"} == as_told(advert)


@pytest.mark.parametrize(("what", "address", "key", "data", "inside"), PUBLISHED, ids=lambda value: str(value)[:9])
def test_what_is_published_opens_alike_and_is_not_taken_for_ours(what, address, key, data, inside):
    address, key, data = bytes.fromhex(address), bytes.fromhex(key), bytes.fromhex(data)
    with pytest.raises(streetwire.WireError) as refused:
        streetwire.unpack_advert(data, address, opener(key))
    assert refused.value.reason == {"encrypted": "not ours", "wrong key": "forged", "plain": "plaintext"}[what]
    is_verified, values = read_by_library(address, key, data)
    assert is_verified == (inside is not None)
    if inside:
        plain = opener(key)(address + b"\xd2\xfc" + data[:1] + data[-8:-4], data[1:-8] + data[-4:])
        objects = dict(streetwire.decode_objects(plain))
        assert values == inside
        assert objects == {streetwire.ID_OF["temperature_c"]: 2506, streetwire.ID_OF["humidity_pct"]: 5055}

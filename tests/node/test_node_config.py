# node.json: defaults, complaints, and that no content of it stops the node from counting.

import json

from dialect import Chance

from node import config

KEYS = ("near_mm", "pavement_mm", "range_permille")


def values(settings):
    return settings.near_mm, settings.pavement_mm, settings.range_permille


DEFAULTS = (600, 3000, 1000)


def test_no_file_means_defaults_and_no_complaint():
    settings = config.load("there-is-no-such-file.json")
    assert values(settings) == DEFAULTS
    assert settings.complaints == []


def test_values_inside_their_limits_are_taken():
    for at, key in enumerate(KEYS):
        _default, low, high, _text = config.DEFAULTS[key]
        for value in (low, high):
            settings = config.Config(json.dumps({key: value}))
            assert values(settings)[at] == value
            assert settings.complaints == []


def test_values_beyond_their_limits_leave_the_default_and_are_named():
    for at, key in enumerate(KEYS):
        default, low, high, _text = config.DEFAULTS[key]
        for value in (low - 1, high + 1, -1, 0, 10**30, 1.5, "700", None, True, [], {}):
            settings = config.Config(json.dumps({key: value}))
            assert values(settings)[at] == default, (key, value)
            assert len(settings.complaints) == 1
            for part in (key, str(low), str(high)):
                assert part in settings.complaints[0]


def test_one_wrong_value_does_not_spoil_the_others():
    settings = config.Config('{"near_mm": 1, "pavement_mm": 2500, "range_permille": "x"}')
    assert values(settings) == (600, 2500, 1000)
    assert len(settings.complaints) == 2


def test_an_unknown_key_is_named():
    settings = config.Config('{"near_mm": 700, "site": "B1"}')
    assert settings.near_mm == 700
    assert settings.complaints == ["node.json: unknown key site"]


def test_what_is_not_an_object_is_named():
    for text in ("null", "[]", "3", '"x"', "true"):
        settings = config.Config(text)
        assert values(settings) == DEFAULTS
        assert len(settings.complaints) == 1
        assert "expected an object" in settings.complaints[0]


def test_what_is_not_json_is_named():
    for text in ("", "{", "nearmm", '{"near_mm": x}', '{"near_mm": 700', "[" * 2000, '{"a":' * 400):
        settings = config.Config(text)
        assert values(settings) == DEFAULTS
        assert len(settings.complaints) == 1
        assert "not JSON" in settings.complaints[0]


def test_no_content_of_the_file_stops_the_node():
    chance = Chance(51)
    contents = [b"\xff\xfe{}", b'{"near_mm": "\xc3"}', b"", b" " * 5000, b'{"near_mm": 700}' + b" " * 5000, b"\x00"]
    for content in contents + [chance.bytes(chance.below(200)) for _ in range(20)]:
        assert values(config.Config(content)) in (DEFAULTS, (700, 3000, 1000))

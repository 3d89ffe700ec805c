# node.json: defaults, complaints, and that no content of it stops the node from counting.

import json

from dialect import Chance

from node import config

KEYS = ("near_mm", "pavement_mm", "range_permille")
GROUPS = ("pavement", "radar")
DEFAULTS = (600, 3000, 1000)


def read(text=None):
    return config.Config(GROUPS, text)


def values(settings):
    return tuple([settings[key] for key in KEYS])


def test_no_file_means_defaults_and_no_complaint():
    settings = config.load(GROUPS, "there-is-no-such-file.json")
    assert values(settings) == DEFAULTS
    assert settings.complaints == []


def test_every_default_stands_inside_its_limits():
    for rows in config.GROUPS.values():
        for key, (default, low, high) in rows.items():
            assert low <= default <= high, key
            assert key.split("_")[-1] in ("mm", "ms", "mv", "permille", "h"), key


def test_values_inside_their_limits_are_taken():
    for group, rows in config.GROUPS.items():
        for key, (_default, low, high) in rows.items():
            for value in (low, high):
                settings = config.Config((group,), json.dumps({key: value}))
                assert settings[key] == value
                assert settings.of(group)[key] == value
                assert settings.complaints == []


def test_values_beyond_their_limits_become_the_nearest_and_nonsense_the_default_and_all_are_named():
    for group, rows in config.GROUPS.items():
        for key, (default, low, high) in rows.items():
            beyond = [(low - 1, low), (high + 1, high), (-1, low), (10**30, high)]
            for value, taken in beyond + [(nonsense, default) for nonsense in (1.5, "700", None, True, [], {})]:
                settings = config.Config((group,), json.dumps({key: value}))
                assert settings[key] == taken, (key, value)
                assert len(settings.complaints) == 1
                for part in (key, str(low), str(high)):
                    assert part in settings.complaints[0]


def test_a_key_of_another_kit_is_unknown():
    settings = read('{"near_mm": 700, "split_mm": 250}')
    assert settings["near_mm"] == 700
    assert settings.complaints == ["node.json: unknown key split_mm"]


def test_one_wrong_value_does_not_spoil_the_others():
    settings = read('{"near_mm": 1, "pavement_mm": 2500, "range_permille": "x"}')
    assert values(settings) == (200, 2500, 1000)
    assert len(settings.complaints) == 2


def test_an_unknown_key_is_named():
    settings = read('{"near_mm": 700, "site": "B1"}')
    assert settings["near_mm"] == 700
    assert settings.complaints == ["node.json: unknown key site"]


def test_what_is_not_an_object_is_named():
    for text in ("null", "[]", "3", '"x"', "true"):
        settings = read(text)
        assert values(settings) == DEFAULTS
        assert len(settings.complaints) == 1
        assert "expected an object" in settings.complaints[0]


def test_what_is_not_json_is_named():
    for text in ("", "{", "nearmm", '{"near_mm": x}', '{"near_mm": 700', "[" * 2000, '{"a":' * 400):
        settings = read(text)
        assert values(settings) == DEFAULTS
        assert len(settings.complaints) == 1
        assert "not JSON" in settings.complaints[0]


def test_no_content_of_the_file_stops_the_node():
    chance = Chance(51)
    contents = [b"\xff\xfe{}", b'{"near_mm": "\xc3"}', b"", b" " * 5000, b'{"near_mm": 700}' + b" " * 5000, b"\x00"]
    for content in contents + [chance.bytes(chance.below(200)) for _ in range(20)]:
        assert values(read(content)) in (DEFAULTS, (700, 3000, 1000))

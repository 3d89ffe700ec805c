"""Keys, bundles and updates by the commands, with a real node at the other end of a pty."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from paced_node import PacedNode

from gateway import bundle
from gateway.errors import BundleError, ConfigError
from tests.real_parts import needs
from tools import bundles, cli
from tools.bundles import make_bundle, make_key, read_key
from tools.slots_image import files_of

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes(range(16))
FILES = {"main.py": b"print()\n", "node/app.mpy": b"M\x06\x00\x1f" + bytes(500)}


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "signing.pem"
    return path, make_key(path)


def bundle_of(path, signer, version="0.2.0", **kits):
    path.write_bytes(make_bundle(version, kits or {"pavement-radar": FILES, "school-pir": FILES}, read_key(signer[0])))
    return path


def reason(path, public):
    with pytest.raises(BundleError) as found:
        bundle.open_bundle(path, bytes.fromhex(public))
    return found.value.key


def repacked(path, to, **parts):
    """The same archive with some of its parts changed, or left out where they are None."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            content = parts.get(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return to


def test_a_bundle_is_what_was_put_into_it_and_the_same_again_byte_by_byte(tmp_path, signer):
    path = bundle_of(tmp_path / "one.bundle", signer)
    found = bundle.open_bundle(path, bytes.fromhex(signer[1]))
    assert sorted(found) == ["pavement-radar", "school-pir"]
    radar = found["pavement-radar"]
    assert (radar.version, radar.kit, radar.files) == ("0.2.0", "pavement-radar", tuple(FILES.values()))
    assert radar.manifest.startswith(b"trottoir 1\nversion 0.2.0\nkit pavement-radar\n")
    assert radar.size == len(radar.manifest) + 8 + 504
    assert bundle_of(tmp_path / "two.bundle", signer).read_bytes() == path.read_bytes()


def test_another_key_or_a_changed_byte_of_the_index_is_no_signature(tmp_path, signer):
    path = bundle_of(tmp_path / "one.bundle", signer)
    other = make_key(tmp_path / "other.pem")
    assert reason(path, other) == "bundle-unsigned"
    with zipfile.ZipFile(path) as archive:
        index, signature = archive.read("index"), archive.read("index.sig")
    assert reason(repacked(path, tmp_path / "x", index=index.replace(b"0.2.0", b"0.3.0")), signer[1]) == "bundle-unsigned"
    for wrong in (b"", signature[:-1], bytes(64), signature + b"x"):
        assert reason(repacked(path, tmp_path / "x", **{"index.sig": wrong}), signer[1]) == "bundle-unsigned"
    assert reason(repacked(path, tmp_path / "x", **{"index.sig": None}), signer[1]) == "bundle-broken"


def test_whatever_is_not_what_a_hash_above_it_says_is_refused(tmp_path, signer):
    path = bundle_of(tmp_path / "one.bundle", signer)
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.startswith("index")]
        contents = {name: archive.read(name) for name in names}
    for name in names:
        changed = contents[name][:-1] + bytes((contents[name][-1] ^ 1,))
        assert reason(repacked(path, tmp_path / "x", **{name: changed}), signer[1]) == "bundle-changed"
        assert reason(repacked(path, tmp_path / "x", **{name: None}), signer[1]) == "bundle-broken"
    assert reason(repacked(path, tmp_path / "x", **{names[-1]: bytes(70_000)}), signer[1]) == "bundle-large"


def test_what_is_no_bundle_is_refused_at_any_length(tmp_path, signer):
    path = bundle_of(tmp_path / "one.bundle", signer)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        (tmp_path / "x").write_bytes(whole[:size])
        assert reason(tmp_path / "x", signer[1]) == "bundle-broken"
    assert reason(tmp_path, signer[1]) == "bundle-broken"
    assert reason(tmp_path / "nothing", signer[1]) == "bundle-broken"


def test_a_signing_key_is_closed_to_others_and_never_written_over(tmp_path):
    path = tmp_path / "signing.pem"
    make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError):
        make_key(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="0640"):
        read_key(path)
    (tmp_path / "none.pem").write_text("no key")
    with pytest.raises(ConfigError):
        read_key(tmp_path / "none.pem")


def test_versions_are_compared_as_numbers():
    assert bundle.number_of("0.10.0") > bundle.number_of("0.9.9") > bundle.number_of("0.9")
    assert bundle.number_of("nonsense") == (0,)


@pytest.fixture
def house(tmp_path, signer, monkeypatch):
    """A gateway's folder with the node's key, and the configuration that knows it."""
    keys = tmp_path / "state" / "keys"
    keys.mkdir(parents=True)
    (keys / "tr-c30a01.key").write_text(f'node = "tr-c30a01"\naddress = "24:DC:C3:C3:0A:03"\nkey = "{KEY.hex()}"\n')
    (keys / "tr-c30a01.key").chmod(0o600)
    path = tmp_path / "trottoir.toml"
    path.write_text(f'[gateway]\nstate_dir = "{tmp_path}/state"\nupdate_key = "{signer[1]}"\n')
    return path


def said(capsys, *words):
    code = cli.main([*map(str, words)])
    out = capsys.readouterr()
    return code, out.out, out.err


@needs("micropython")
@needs("pty")
def test_a_node_is_updated_and_sent_back_by_the_commands(tmp_path, house, signer, capsys):
    _, files = files_of("pavement-radar")
    files["main.py"] = files["main.py"].replace(b'"0.1.0"', b'"0.2.0"')
    path = bundle_of(tmp_path / "new.bundle", signer, **{"pavement-radar": files})
    with PacedNode(tmp_path / "node") as node:
        would = said(capsys, "--config", house, "--json", "node", "update", path, "--port", node.port, "--dry-run")
        assert json.loads(would[1])["before"] == "0.1.0"
        code, out, err = said(capsys, "--config", house, "--json", "node", "update", path, "--port", node.port)
        assert code == 0, err
        assert json.loads(out) == {
            "node": "tr-c30a01", "before": "0.1.0", "version": "0.2.0", "kit": "pavement-radar", "ok": True, "problem": None,
        }  # fmt: skip
        assert [line.split()[0] for line in err.splitlines()] == ["offered", "sending;", "the", "whole", "it"]
        assert KEY.hex() not in out + err
        again = said(capsys, "--config", house, "node", "update", path, "--port", node.port)
        assert again[0] == 0
        code, out, err = said(capsys, "--config", house, "--json", "node", "rollback", "--port", node.port)
        assert code == 0, err
        assert json.loads(out)["version"] == "0.1.0"
        node.unplug()
        assert json.loads(node.desk.state)["slot"] == "a"


@needs("micropython")
@needs("pty")
def test_a_cable_that_is_pulled_ends_it_with_a_line_and_the_next_time_it_goes_on(tmp_path, house, signer, capsys):
    _, files = files_of("pavement-radar")
    files["main.py"] = files["main.py"].replace(b'"0.1.0"', b'"0.2.0"')
    path = bundle_of(tmp_path / "new.bundle", signer, **{"pavement-radar": files})
    with PacedNode(tmp_path / "node") as node:
        import threading

        threading.Timer(1.5, node.unplug).start()
        code, _, err = said(capsys, "--config", house, "node", "update", path, "--port", node.port)
        assert code == 4
        assert err.splitlines()[-1].startswith(f"port {node.port} is gone")


@needs("micropython")
@needs("pty")
def test_a_gateway_that_is_running_updates_its_node_and_goes_on_counting(tmp_path, house, signer, capsys):
    _, files = files_of("pavement-radar")
    files["main.py"] = files["main.py"].replace(b'"0.1.0"', b'"0.2.0"')
    path = bundle_of(tmp_path / "new.bundle", signer, **{"pavement-radar": files})
    with PacedNode(tmp_path / "node") as node:
        text = house.read_text() + f'page = "off"\n[serial]\nports = ["{node.port}"]\n[uplink]\nenabled = false\n'
        house.write_text(text + '[sites.bahnhof]\n[nodes.tr-c30a01]\nsite = "bahnhof"\n')
        alone = said(capsys, "--config", house, "node", "update", path, "--node", "tr-c30a01")
        assert alone[0] == 3 and "no gateway is running" in alone[2]
        with gateway_on(house, tmp_path / "gateway.log"):
            (tmp_path / "by-path").symlink_to(node.port)
            for name in (node.port, tmp_path / "by-path"):
                code, _, err = said(capsys, "--config", house, "node", "update", path, "--port", name)
                assert (code, "--node" in err) == (4, True), err
            code, _, err = said(capsys, "--config", house, "node", "update", path, "--node", "tr-ffffff")
            assert code == 3, err
            assert said(capsys, "--config", house, "node", "update", path, "--node", "tr-c30a01", "--dry-run")[0] == 0
            code, out, err = said(capsys, "--config", house, "--json", "node", "update", path, "--node", "tr-c30a01")
            assert code == 0, (out, err, (tmp_path / "gateway.log").read_text())
            assert json.loads(out) == {"node": "tr-c30a01", "before": "0.1.0", "version": "0.2.0", "ok": True, "problem": None}
            code, out, err = said(capsys, "--config", house, "--json", "node", "rollback", "--node", "tr-c30a01")
            assert (code, json.loads(out)["version"]) == (0, "0.1.0"), err
        assert not list((tmp_path / "state" / "updates").glob("*.bundle"))
        assert KEY.hex() not in (tmp_path / "gateway.log").read_text()
        with closing(sqlite3.connect(tmp_path / "state" / "store.db")) as books:
            assert books.execute("SELECT max(watermark) FROM streams").fetchone()[0] > 1


@contextmanager
def gateway_on(config, log):
    """`trottoir run` in a process of its own."""
    command = [sys.executable, "-m", "tools.cli", "--config", str(config), "run"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'firmware'}"}
    with log.open("wb") as sink, subprocess.Popen(command, stdout=sink, stderr=sink, cwd=ROOT, env=environment) as process:
        ends_s = time.monotonic() + 30
        while b"started" not in log.read_bytes():
            assert process.poll() is None and time.monotonic() < ends_s, log.read_text()
            time.sleep(0.05)
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_who_has_no_key_of_the_node_or_trusts_nobody_is_told(tmp_path, house, signer, capsys):
    path = bundle_of(tmp_path / "new.bundle", signer)
    (tmp_path / "empty.toml").write_text("")
    code, _, err = said(capsys, "--config", tmp_path / "empty.toml", "node", "update", path, "--port", "/dev/none")
    assert code == 3
    assert "update_key" in err
    code, _, err = said(capsys, "--config", house, "node", "update", tmp_path / "nothing", "--port", "/dev/none")
    assert code == 6
    code, _, err = said(capsys, "--config", house, "node", "update", path)
    assert code == 2
    code, _, err = said(capsys, "--config", house, "node", "update", path, "--port", "/dev/none-of-ours")
    assert code == 4


@needs("micropython")
def test_the_bundle_of_what_is_here_has_every_kit(tmp_path, signer, capsys):
    path = tmp_path / "here.bundle"
    code, out, _ = said(capsys, "--json", "node", "firmware", "bundle", path, "--key", signer[0])
    assert code == 0
    found = bundle.open_bundle(path, bytes.fromhex(signer[1]))
    assert sorted(found) == json.loads(out)["kits"] == ["doorway-tof", "pavement-lidar", "pavement-radar", "school-pir"]
    assert len({firmware.manifest for firmware in found.values()}) == 4
    shutil.rmtree(tmp_path / "none", ignore_errors=True)
    code, out, _ = said(capsys, "--json", "node", "firmware", "bundle", tmp_path / "dry", "--key", signer[0], "--dry-run")
    assert code == 0
    assert not (tmp_path / "dry").exists()


def test_a_key_is_made_by_command_and_its_public_half_is_shown(tmp_path, capsys):
    code, out, _ = said(capsys, "--json", "node", "firmware", "key", tmp_path / "k.pem")
    assert code == 0
    assert json.loads(out)["update_key"] == bundles.public_of(read_key(tmp_path / "k.pem"))
    assert said(capsys, "node", "firmware", "key", tmp_path / "k.pem")[0] == 3

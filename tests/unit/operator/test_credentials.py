"""Credentials: what kubectl writes is read; what cannot be read is one line."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from foretide.operator.credentials import NoCredentials, credentials_from, from_kubeconfig, in_cluster


def written(folder: Path, **user: Any) -> Path:
    config = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://api:6443/", "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_token_and_a_server_are_read(tmp_path: Path) -> None:
    found = from_kubeconfig(written(tmp_path, token="secret"))
    assert (found.server, found.current_token(), found.insecure) == ("https://api:6443", "secret", True)


def test_a_token_file_is_read_anew_each_time(tmp_path: Path) -> None:
    found = from_kubeconfig(written(tmp_path, tokenFile="token"))
    (tmp_path / "token").write_text("one\n")
    assert found.current_token() == "one"
    (tmp_path / "token").write_text("two")
    assert found.current_token() == "two"


def test_certificates_come_as_data_or_as_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"key")
    data = base64.b64encode(b"cert").decode()
    found = from_kubeconfig(written(tmp_path, **{"client-certificate-data": data, "client-key": "key.pem"}))
    assert (found.certificate, found.private_key) == (b"cert", b"key")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("{a: [", "not YAML"),
        ("current-context: x", "contexts has no 'x'"),
        ("{contexts: [{name: x, context: {cluster: c}}], current-context: x}", "clusters has no 'c'"),
    ],
)
def test_a_broken_kubeconfig_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(NoCredentials) as refusal:
        from_kubeconfig(path)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoCredentials, match="nowhere: No such file"):
        from_kubeconfig(tmp_path / "nowhere")


def test_a_pod_uses_its_own_service_account(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mine")
    found = in_cluster("fd00::1", "443", folder=tmp_path)
    assert (found.server, found.current_token()) == ("https://[fd00::1]:443", "mine")


def test_outside_a_pod_a_kubeconfig_is_asked_for() -> None:
    with pytest.raises(NoCredentials, match="--kubeconfig"):
        in_cluster("", "")


def test_without_a_kubeconfig_the_pods_own_account_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert credentials_from(None).server == "https://10.0.0.1:443"
    with pytest.raises(NoCredentials, match="/nowhere/config"):
        credentials_from(Path("/nowhere/config"))

"""Field paths: one place each, and refused with the fix where they are none."""

import pytest

from foretide.operator.tuner.path import Entry, Flag, Index, Key, field_path, restarts


def test_every_way_of_naming_a_place_is_read() -> None:
    found = field_path("spec.template.spec.containers[engine].args[--max-num-seqs]")
    assert found[:3] == (Key("spec"), Key("template"), Key("spec"))
    assert found[3:] == (Key("containers"), Entry("engine"), Key("args"), Flag("--max-num-seqs"))
    assert field_path("data['max.num/seqs']") == (Key("data"), Key("max.num/seqs"))
    assert field_path("spec.list[0].value") == (Key("spec"), Key("list"), Index(0), Key("value"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "spec.",
        ".spec",
        "spec..a",
        "spec[",
        "spec]",
        "[0]",
        "['a']",
        "spec[*]",
        "spec[a b]",
        "spec a",
        "a" * 300,
    ],
)
def test_what_is_no_path_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no field path; write it like data\['max-num-seqs'\]"):
        field_path(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("spec.replicas", "leads through replicas"),
        ("status.limit", "leads through status"),
        ("spec.template.spec.securityContext.runAsUser", "leads through securityContext"),
        ("metadata.generation", "only annotations"),
        ("spec.args[--a].b", "goes on behind an argument"),
    ],
)
def test_what_others_own_is_never_named(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        field_path(text)


def test_a_pod_template_restarts_pods_and_nothing_else_is_known_to() -> None:
    assert restarts(field_path("spec.template.spec.containerConcurrency"))
    assert not restarts(field_path("spec.trafficPolicy.connectionPool.http.http2MaxRequests"))
    assert not restarts(field_path("data['limit']"))

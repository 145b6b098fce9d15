"""`foretide crd`: what kubectl is to apply, and nothing else."""

import pytest
import yaml

from foretide.cli.main import run
from foretide.operator.resource import GROUP, PLURAL


def test_the_printed_manifest_is_the_definition_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["crd"])
    assert ended.value.code == 0
    (manifest,) = yaml.safe_load_all(capsys.readouterr().out)
    assert manifest["kind"] == "CustomResourceDefinition"
    assert manifest["metadata"]["name"] == f"{PLURAL}.{GROUP}"

"""What everything has in common that users write in a resource."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Written(BaseModel):
    """Unknown fields are errors here: `resource.parse` decides what becomes of them."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

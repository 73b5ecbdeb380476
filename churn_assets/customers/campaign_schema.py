"""What a contact of a company's logged campaign looks like, once it is read: `campaign.json`.

It lies beside the typed log. A row of the log has the schema's fields and the product's own:
`offer_level` (0 the least offer), `accepted`, and, where the contract knows them, `propensity` (the
probability with which that offer was chosen) and `contacted` (a number for each customer, no id).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from churn_assets.customers.schema import CustomerField, SchemaError

FILE = "campaign.json"
LEVEL, ACCEPTED, PROPENSITY = "offer_level", "accepted", "propensity"
CONTACTED = "contacted"


class CampaignSchema(BaseModel):
    """A logged campaign.

    Attributes:
        contract: the contract's name.
        fields: what was known of somebody before the offer, in the contract's order.
        gives: what each of the L levels gives, from the least up.
        unit: of these numbers.
        chances: with which each level was chosen, (L,); None where the contract doesn't say, or
            where they differ from row to row.
        logged_chances: whether each row has the chance of its own offer.
        repeated: whether a customer may have several contacts, told by `contacted`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    contract: str
    fields: tuple[CustomerField, ...]
    gives: tuple[float, ...]
    unit: str = "%"
    chances: tuple[float, ...] | None = None
    logged_chances: bool = False
    repeated: bool = False

    @property
    def features(self) -> tuple[CustomerField, ...]:
        """The fields; as of customers, of whom models don't use all."""
        return self.fields

    def save(self, folder: Path) -> None:
        """Write `campaign.json`."""
        (folder / FILE).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_campaign(folder: Path) -> CampaignSchema:
    """The schema in a folder of contacts.

    Raises:
        SchemaError: there is none, or it is of another version; names the file.
    """
    path = folder / FILE
    try:
        return CampaignSchema.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SchemaError(f"{path} is no schema of a campaign ({error}); read it anew") from error

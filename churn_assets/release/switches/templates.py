"""By what answers said, templates are chosen: the bandit's state that is in force.

The asset `template_answers` makes it from outcomes (`outcomes.learning.templates`); the API,
`churn predict` and the campaign read it. It belongs to no release: templates are known by their
digests, and those of a new release start equal beside the ones that stay.
"""

from __future__ import annotations

from churn_assets.messages.writing.bandit import STATE, TemplateBandit, TemplateChooser
from churn_assets.storage.current import asset_pointer, current_artifact
from churn_assets.storage.protocol import ArtifactStore

ASSET = "template_answers"


def in_force(store: ArtifactStore, *, learn: bool) -> TemplateChooser | None:
    """What chooses templates; None where nothing is to be learnt from answers. Before there are
    any, all templates are equal.

    Raises:
        ArtifactError: the store can't be read.
        ValueError: the state is damaged; names its file.
    """
    if not learn:
        return None
    if store.read_pointer(asset_pointer(ASSET)) is None:
        return TemplateChooser()
    return TemplateChooser(TemplateBandit.load(store.get(current_artifact(store, ASSET)) / STATE))

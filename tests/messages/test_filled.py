"""A text that was filled from a template: judged by its template where that is enough, with the
verdict that judging the text itself gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from churn_assets.messages.corpus.reviewed import reviewed_templates, subject_templates
from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.shield.slots import fill, slots_in, unfill
from churn_assets.messages.shield.slots import only_in_slots as stand_in_slots_only
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.shield.verdict import Verdict
from tests.messages.briefs import NOON, RENDERER, SAM, brief, briefs
from tests.messages.test_hostile_names import NAMES, is_written

SHIELD = Shield.load()
ODD = ("Bill", "bill", "offer", "May", "months", "first month", "us", "Us", "Hi", "a", "S.", "now")
TEMPLATES = (
    "Hi {name}, we value your {tenure} with us! Please enjoy {offer} off your {bill} bill.",
    "Hi {name}, we value your {tenure} with us! Tell us how we can serve you better.",
    "Dear {name}, thank you. Please enjoy {offer} off your bill for {months}, as of this month.",
    "{name}{tenure} we value you, please enjoy {offer}{months}.",  # nothing between two values
    "Hi {name}, thanks for {tenure}. Your bill is {offer} less for {bill}.",  # misused
    "Hello {name}, act now: {offer} off!",
    "Hi {name}.. we value you for your first month and {offer} off.",
)


class ByTemplateOnly(Shield):
    """One that must not look at a text's words."""

    def check_text(self, text: str, brief: MessageBrief, values: Mapping[str, str]) -> Verdict:
        raise AssertionError(f"looked at {text!r}")


def filled(template: str, made: MessageBrief) -> tuple[str, dict[str, str]] | None:
    """The text and its values; None where the customer lacks one."""
    values = RENDERER.values(made)
    if not values.keys() >= set(slots_in(template)):
        return None
    return fill(template, values), values


def assert_same_verdict(template: str, made: MessageBrief) -> None:
    if (found := filled(template, made)) is None:
        return
    text, values = found
    wanted = SHIELD.check_text(text, made, values)
    assert SHIELD.check_filled(template, text, made, values) == wanted, (template, made)
    if stand_in_slots_only(template, text, values):
        assert unfill(text, values) == template


@given(briefs, st.sampled_from(TEMPLATES), st.integers(0, 23))
@example(replace(SAM, name="bill"), TEMPLATES[0], 12)
@example(replace(SAM, tenure=1), TEMPLATES[6], 12)
def test_the_verdict_is_the_one_of_the_text(made: MessageBrief, template: str, hour: int) -> None:
    """Why: the quick way must let nothing pass that the shield would refuse, nor the reverse."""
    made = replace(made, local_time=NOON.replace(hour=hour))
    assert_same_verdict(template, made)


@pytest.mark.parametrize("offer", [0, 10])
@pytest.mark.parametrize("tenure", [0, 1, 12])
def test_no_name_makes_a_difference(offer: int, tenure: int) -> None:
    """Why: a name may be a word of the message, another value, or half of a phrase."""
    for name in (None, *ODD, *filter(is_written, NAMES)):
        made = brief(name=name, offer_percentage=offer, tenure=tenure)
        for template in (*TEMPLATES, *reviewed_templates(made.facts)):
            assert_same_verdict(template, made)


def test_a_contract_s_words_make_no_difference() -> None:
    for subject in ("your fiber plan", "your urgent gift", "Sam", "your Bill"):
        made = brief(subject=subject)
        for template in (*TEMPLATES, *subject_templates(made.facts)):
            assert_same_verdict(template, made)


@pytest.mark.parametrize(("hour", "violations"), [(12, ()), (23, ("quiet_hours",))])
def test_a_plain_text_is_judged_by_its_template(hour: int, violations: tuple[str, ...]) -> None:
    """Why: it is what makes a thousand messages quick; a test that both agree would pass as well
    if every text were looked at."""
    made = brief(local_time=NOON.replace(hour=hour), tenure=7)
    found = filled(TEMPLATES[0], made)
    assert found is not None
    verdict = ByTemplateOnly(SHIELD.rules).check_filled(TEMPLATES[0], found[0], made, found[1])
    assert verdict == Verdict(not violations, violations)


@pytest.mark.parametrize(
    "changes", [{"name": "bill"}, {"name": "Act"}, {"tenure": 12}, {"tenure": 0}]
)
def test_a_text_that_its_template_does_not_settle_is_looked_at(changes: dict[str, object]) -> None:
    """Why: there the words are no longer the template's."""
    made = brief(**{"tenure": 7, **changes})
    template = TEMPLATES[0] if made.tenure else TEMPLATES[6]
    found = filled(template, made)
    assert found is not None
    with pytest.raises(AssertionError, match="looked at"):
        ByTemplateOnly(SHIELD.rules).check_filled(template, found[0], made, found[1])

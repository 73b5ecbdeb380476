"""Every check says how often it is wrong, and the chances keep their promise."""

from __future__ import annotations

from checks.document import checks_of, is_component_gate
from checks.odds import ALLOWED, BLOCKING, COMPONENTS, measured
from churn_assets.definitions import definitions
from churn_assets.release.gate import COMPONENT_GATES

CHECKS = checks_of(definitions().resolve_asset_graph())
STOPS = [key.name for key, blocks in CHECKS if blocks and not is_component_gate(key)]


def test_every_check_that_stops_a_release_says_how_often_it_is_wrong() -> None:
    """A new one comes with its chance; a removed one leaves none behind."""
    assert set(STOPS) == BLOCKING.keys()


def test_together_they_stop_a_sound_release_once_in_a_thousand_runs_at_most() -> None:
    """What fails by chance teaches people to run it again until it passes."""
    total = sum(BLOCKING[name].chance for name in STOPS)
    assert 0 < total <= ALLOWED


def test_every_gate_of_a_component_is_a_check_that_the_release_waits_for() -> None:
    """The release asks for these checks by name: one that is renamed would no longer decide, one
    that runs beside the release would not have been judged yet."""
    gates = {
        f"{key.asset_key.to_user_string()}: {key.name}": blocks
        for key, blocks in CHECKS
        if is_component_gate(key)
    }
    assert gates.keys() == set().union(*COMPONENT_GATES.values())
    assert all(gates.values())
    assert {name.partition(": ")[2] for name in gates} == COMPONENTS.keys()


def test_what_was_measured_gives_a_chance() -> None:
    """Student's t: with three runs a distance of ten deviations is still no certainty."""
    few = measured("", "", 0.0, None, 9.0, 10.0, 11.0).chance
    many = measured("", "", 0.0, None, *[9.0, 10.0, 11.0] * 10).chance
    assert many < 1e-9 < 1e-3 < few < 0.02
    either = measured("", "", 0.0, 20.0, 9.0, 10.0, 11.0).chance
    assert either > 1.9 * few
    # Three runs that happen to agree to the last digit are no certainty either.
    assert 0.02 < measured("", "", 7.0, None, *[10.0] * 3, sampling_error=1.0).chance < 0.1

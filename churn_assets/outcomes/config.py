"""Settings of outcomes and what is concluded from them."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class OutcomesConfig(BaseModel):
    """When an outcome is known, how large an effect matters, and what follows from harm.

    Attributes:
        horizon_days: days after a decision in which leaving counts as its outcome; the outcome is
            known when they are over and leaving has been reported up to their end. Answers count
            for as many days after their contact.
        report_days: days within which you report that a customer has left. An outcome is known once
            anybody is reported as having left at its end or later; so many days after its end where
            nobody was ever reported.
        reported_in_order: whether who reports a leaver has reported those of the days before;
            false where some are reported at once and others by the month: each outcome then waits
            for `report_days`.
        answer_days: days after a contact in which an event without a decision id is taken to answer
            it, and after which nobody answers it any more (`churn feedback`).
        message_days: days after a contact in which an acceptance counts for its message's template;
            what answers said of it is learnt when they are over.
        keep_days: decisions older than this are removed from the log, except those that the
            comparison rests on: each customer's within the horizon of their first, of a draw whose
            period isn't over for as long.
        effect_of_interest: the smallest change of the churn rate that would matter, as a share of
            all customers (0.01: one in a hundred); how many customers an answer needs follows.
        value_of_interest: the smallest gain per customer that would matter, in currency; a known
            effect within it is reported as none that matters. null: 2.5 % of what a customer pays
            in a year on average.
        plan_customers: the always-valid interval is tightest around so many customers.
        stop_when_it_hurts: throw the kill switch when contacting is shown to hurt, so that rules
            decide in place of the policy; it stops no contact, since they contact people, too.
        learn_from: how many known outcomes, customers contacted and customers left alone it takes
            before anything is learnt from them; null: nothing ever is.
        trees_from: how many known answers to offers it takes before trees learn who accepts; they
            are used if they are shown to predict better answers that they didn't learn from. null:
            there are never any trees.
        retrain_outcomes: how many outcomes that something is learnt from, beyond those that the
            release learnt from, are a reason to train again, for the sensor `retrain` once it is
            switched on.
        seed: of folds and resamples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    horizon_days: int = Field(default=30, ge=1)
    report_days: int = Field(default=45, ge=0, le=3_650)
    reported_in_order: bool = True
    answer_days: int = Field(default=30, ge=1, le=3_650)
    message_days: int = Field(default=14, ge=1)
    keep_days: int = Field(default=730, ge=1)
    effect_of_interest: float = Field(default=0.01, gt=0, lt=1)
    value_of_interest: float | None = Field(default=None, gt=0)
    plan_customers: int = Field(default=10_000, ge=100)
    stop_when_it_hurts: bool = False
    learn_from: int | None = Field(default=500, ge=50)
    trees_from: int | None = Field(default=3_000, ge=500)
    retrain_outcomes: int = Field(default=5_000, ge=1)
    seed: int = 42

    @model_validator(mode="after")
    def _outcomes_are_kept(self) -> Self:
        # In order they may be known at their end; else they always wait. Days are removed whole.
        wait = 0 if self.reported_in_order else self.report_days
        if self.keep_days < self.horizon_days + wait + 2:
            waited = f" and report_days ({wait})" * bool(wait)
            raise ValueError(
                f"keep_days ({self.keep_days}) is less than horizon_days ({self.horizon_days})"
                f"{waited} and two: decisions would be removed before their outcome is known"
            )
        return self

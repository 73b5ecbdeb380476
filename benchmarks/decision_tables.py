"""The decision benchmark's tables, from the figures in DECISION.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Presets = Mapping[str, Mapping[str, Any]]


def replace_section(page: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- name -->` and `<!-- /name -->`; what stands around it is kept.

    Raises:
        ValueError: the page lacks the marks.
    """
    before, begin, rest = page.read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not begin or not end:
        raise ValueError(f"{page}: no section marked <!-- {name} --> ... <!-- /{name} -->")
    page.write_text(f"{before}{begin}\n{text}\n\n{end}{after}")


def all_tables(figures: Mapping[str, Any]) -> str:
    """The generated part of DECISION.md."""
    presets = figures["presets"]
    mean = f"{100 * figures['mean_captured_uplift']:.1f} %"
    seeds = next(iter(presets.values()))["seeds"]
    return "\n\n".join(
        [
            f"{figures['test_customers']} test customers, redrawn with seed "
            f"{figures['split_seed']}; {seeds} seeds a preset; one thread; Python "
            f"{figures['python']}.",
            "### Captured uplift",
            captured_table(presets),
            f"Mean of PPO over the presets finished: **{mean}**.",
            "### Every rule: captured uplift at spend / limit",
            rules_table(presets),
            "### Where the gap to the optimum lies",
            "Captured uplift (%) of the served seed, and with the optimum's decisions in the place "
            "of its own: of some heads everywhere, then of all heads in some states.",
            gap_table(presets, ("gap_by_head", "gap_by_state"), ""),
            "Share of the lost uplift by fifths of the customers, in order of churn risk.",
            gap_table(presets, ("gap_by_risk",), " %"),
            "### Stress: captured uplift at spend / limit",
            stress_table(presets),
            anew_table(figures["stress_trained_anew"]),
        ]
    )


def captured_table(presets: Presets) -> str:
    """PPO beside the best rule, preset by preset."""
    rows = [
        [
            preset,
            interval(row["ppo"]["captured_uplift"], digits=2),
            " ".join(f"{100 * run['captured_uplift']:.2f}" for run in by_seed(row).values()),
            f"{row['best_rule']} {100 * row['best_baseline_uplift']:.1f}",
            interval(row["lead"]),
            interval(row["ppo"]["spend_ratio"]),
            " ".join(f"{100 * run['spend_ratio']:.1f}" for run in by_seed(row).values()),
            f"{100 * row['over_contact_rate']:.3f} %",
            f"{100 * row['ppo']['sampled_over_contact_rate']:.3f} %",
            f"{100 * row['oracle_gap']:.3f} %",
            f"{row['train_seconds']:.0f}",
        ]
        for preset, row in presets.items()
    ]
    head = (
        "preset|PPO, %|by seed|best rule, %|lead, points|spend / limit, %|by seed|over the cap"
        "|sampled, no cap mask|oracle gap|CPU s a seed"
    )
    return table(head.split("|"), rows)


def by_seed(row: Mapping[str, Any]) -> Mapping[str, Mapping[str, float]]:
    """Each seed's figures."""
    seeds: Mapping[str, Mapping[str, float]] = row["ppo"]["by_seed"]
    return seeds


def rules_table(presets: Presets) -> str:
    """Captured uplift and spend of all baselines."""
    names = list(next(iter(presets.values()))["rules"])
    rows = [
        [
            preset,
            *(at(rule["captured_uplift"]["value"], rule["spend_ratio"]) for rule in found.values()),
        ]
        for preset, row in presets.items()
        for found in [row["rules"]]
    ]
    return table(["preset", *names], rows)


def gap_table(presets: Presets, groups: tuple[str, ...], unit: str) -> str:
    """One column for each replacement, or for each group of customers."""
    joined = {
        preset: {name: value for key in groups for name, value in row["diagnostics"][key].items()}
        for preset, row in presets.items()
    }
    digits = 0 if unit else 1
    rows = [
        [preset, *(f"{100 * value:.{digits}f}{unit}" for value in found.values())]
        for preset, found in joined.items()
    ]
    return table(["preset", *next(iter(joined.values()))], rows)


STRESS_ROWS = (
    "PPO, fixed",
    "PPO, offer price re-tuned",
    "best rule, fixed",
    "best rule, price re-tuned",
)


def stress_table(presets: Presets) -> str:
    """Captured uplift and spend under each stress; a dash where a rule has no price to re-tune."""
    rows = [
        [
            preset,
            name,
            *(
                at(row[cell]["captured_uplift"], row[cell]["spend_ratio"]) if cell in row else "–"
                for cell in STRESS_ROWS
            ),
        ]
        for preset, found in presets.items()
        for name, row in found["diagnostics"]["stress"].items()
    ]
    return table(["preset", "stress", *STRESS_ROWS], rows)


def anew_table(anew: Mapping[str, Mapping[str, float]]) -> str:
    """The stressed worlds with a policy trained for them."""
    rows = [[name, at(row["captured_uplift"], row["spend_ratio"])] for name, row in anew.items()]
    return "Trained anew in the stressed world (moderate, seed 0):\n\n" + table(
        ["stress", "PPO, multiplier learnt anew"], rows
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def at(captured: float, spend_ratio: float) -> str:
    """`95.5 at 101`: captured uplift and spend / limit, per cent."""
    return f"{100 * captured:.1f} at {100 * spend_ratio:.0f}"


def interval(figure: Mapping[str, float], digits: int = 1) -> str:
    """value [lower, upper] in per cent."""
    value, low, high = (f"{100 * figure[name]:.{digits}f}" for name in ("value", "lower", "upper"))
    return f"**{value}** [{low}, {high}]"

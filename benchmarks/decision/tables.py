"""The decision benchmark's tables, from the figures in DECISION.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Figures = Mapping[str, Any]


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


def all_tables(figures: Figures) -> str:
    """The generated part of DECISION.md."""
    policy, gaps = figures["policy"], figures["diagnostics"]
    return "\n\n".join(
        [
            f"{figures['test_customers']} test customers, {figures['split']}; seeds: "
            f"{policy['seeds']}; one thread; Python {figures['python']}. Served: "
            f"`{policy['served']}`.",
            "### Captured uplift: one network, every preset",
            captured_table(figures["presets"]),
            f"Mean of PPO over the presets: **{per_cent(figures['mean_captured_uplift'])}**. The "
            f"exact planner on the default preset: {per_cent(policy['planner_uplift'])}. Training: "
            f"{policy['train_seconds']:.0f} CPU s a seed, for all presets, budgets and worlds.",
            "### Other budgets and other worlds",
            "The best seed, told the price of the budget and the world; default preset, captured "
            "uplift in %.",
            row_table("share of the budget", policy["captured_uplift_by_budget"]),
            row_table("world", policy["changed_worlds"]),
            "### Every rule: captured uplift at spend / limit",
            rules_table(figures["presets"]),
            "### The whole base's period, and the closed loop",
            spend_and_loop(figures),
            "### Where the gap to the optimum lies",
            "Captured uplift (%) of the served seed on the default preset, and with the optimum's "
            "decisions in the place of its own: of some heads everywhere, then of all heads in "
            "some states.",
            row_table("the optimum's", gaps["gap_by_head"] | gaps["gap_by_state"]),
            "### Seen shifts: captured uplift at spend / limit",
            "Another world, whose numbers the policies are shown.",
            shift_table("shift", gaps["seen_shifts"]),
            "### Unseen mis-estimation: captured uplift at spend / limit",
            "Another world, of which the policies are shown nothing.",
            shift_table("the world is", gaps["unseen_misestimation"]),
            "### The price of assuming more annoyance",
            "Captured uplift (%) by how annoyed customers really are.",
            pessimism_table(gaps["pessimism"]),
            "### Break-even",
            "Net uplift of the served policy, % of yearly value, by the share of acceptances that "
            "work and the months whose bills count (the last column: twelve bills for sure).",
            break_even_table(policy["break_even"]),
            "### Time",
            time_tables(figures),
            "### Network and exact planner side by side",
            "CPU seconds of one thread: to make it, to find another budget's price, and to decide "
            "on the whole base at the start of a period.",
            side_by_side_table(figures["side_by_side"], figures["microseconds"]),
        ]
    )


def captured_table(presets: Mapping[str, Figures]) -> str:
    """PPO beside the strongest rule, preset by preset."""
    rows = [
        [
            preset,
            interval(row["ppo"]["captured_uplift"], digits=2),
            " ".join(f"{100 * run['captured_uplift']:.2f}" for run in by_seed(row)),
            f"{row['best_rule']} {strongest(row):.2f}",
            interval(row["lead"], digits=2),
            interval(row["ppo"]["spend_ratio"]),
            f"{100 * row['ppo']['over_contact_rate']:.3f} %",
        ]
        for preset, row in presets.items()
    ]
    head = "preset|PPO, %|by seed|strongest rule, %|lead, points|spend / limit, %|over the cap"
    return table(head.split("|"), rows)


def by_seed(row: Figures) -> list[Mapping[str, float]]:
    """Each seed's figures."""
    return list(row["ppo"]["by_seed"].values())


def strongest(row: Figures) -> float:
    """The strongest rule's captured uplift, per cent."""
    return 100 * float(row["rules"][row["best_rule"]]["captured_uplift"]["value"])


def rules_table(presets: Mapping[str, Figures]) -> str:
    """Captured uplift and spend of all baselines."""
    names = list(next(iter(presets.values()))["rules"])
    rows = [
        [
            preset,
            *(
                at(rule["captured_uplift"]["value"], rule["spend_ratio"])
                for rule in row["rules"].values()
            ),
        ]
        for preset, row in presets.items()
    ]
    return table(["preset", *names], rows)


def row_table(label: str, values: Mapping[str, float]) -> str:
    """One row of shares, in per cent."""
    return table(
        [label, *values], [["captured, %", *(f"{100 * value:.2f}" for value in values.values())]]
    )


def spend_and_loop(figures: Figures) -> str:
    """What a period costs, and what is brought by those who know only what a caller knows."""
    spend = figures["period_spend"]
    rows = [
        [
            name,
            f"{loop['episodes']:,}",
            f"{per_cent(loop['uplift_ratio'])} ({loop['z_uplift']:+.2f})",
            f"{per_cent(loop['spend_ratio'])} ({loop['z_spend']:+.2f})",
        ]
        for name, loop in figures["closed_loop"].items()
    ]
    said = (
        f"A period of all {spend['customers']:,} customers from clean sheets is expected to cost "
        f"{per_cent(spend['ratio'])} of its budget, with a standard deviation of "
        f"{per_cent(spend['deviation'])}; P(over) = {per_cent(spend['p_over'])}."
    )
    head = ["policy", "episodes", "uplift / reported (z)", "spend / reported (z)"]
    return f"{said}\n\n{table(head, rows)}"


def pessimism_table(rows: Mapping[str, Figures]) -> str:
    """Captured uplift of each policy in each true world."""
    worlds = list(next(iter(rows.values())))
    cells = [[name, *(f"{100 * row[world]:.1f}" for world in worlds)] for name, row in rows.items()]
    return table(["policy", *(f"annoyance {world}" for world in worlds)], cells)


def break_even_table(found: Figures) -> str:
    """Net uplift by effect share and persistence, and the least share."""
    months = ["sure" if month is None else str(month) for month in found["persistence"]]
    rows = [
        [f"{share:.0%}", *(f"{100 * net:.1f}" for net in row)]
        for share, row in zip(found["effect_share"], found["net_uplift"], strict=True)
    ]
    least = ["–" if share is None else f"{share:.0%}" for share in found["least_share"]]
    return table(["works for", *months], [*rows, ["break-even", *least]])


def shift_table(what: str, shifts: Mapping[str, Figures]) -> str:
    """Captured uplift and spend in each world; a dash where a rule has no price to re-tune."""
    names = list(dict.fromkeys(name for row in shifts.values() for name in row))
    rows = [
        [
            shift,
            *(
                at(row[name]["captured_uplift"], row[name]["spend_ratio"]) if name in row else "–"
                for name in names
            ),
        ]
        for shift, row in shifts.items()
    ]
    return table([what, *names], rows)


def time_tables(figures: Figures) -> str:
    """CPU seconds of the stages, and microseconds of a single decision."""
    stages = table(
        ["stage", "CPU s"],
        [[name, f"{seconds:.0f}"] for name, seconds in figures["cpu_seconds"].items()],
    )
    decisions = table(
        ["one decision", "median, µs", "p99, µs"],
        [
            [name, f"{taken['median']:.0f}", f"{taken['p99']:.0f}"]
            for name, taken in figures["microseconds"].items()
        ],
    )
    return f"{stages}\n\n{decisions}"


def side_by_side_table(policies: Mapping[str, Figures], times: Mapping[str, Figures]) -> str:
    """What the network and the planner capture and cost."""
    rows = [
        [
            name,
            f"{100 * found['captured_uplift']:.2f}",
            f"{times[name]['median']:.0f}",
            f"{times[name]['p99']:.0f}",
            *(f"{found[cost]:.1f}" for cost in ("whole_base", "another_budget", "to_make")),
        ]
        for name, found in policies.items()
    ]
    head = "policy|captured, %|median, µs|p99, µs|whole base, s|another budget, s|to make, s"
    return table(head.split("|"), rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def at(captured: float, spend_ratio: float) -> str:
    """`95.5 at 101`: captured uplift and spend / limit, per cent."""
    return f"{100 * captured:.1f} at {100 * spend_ratio:.0f}"


def per_cent(share: float) -> str:
    """`99.8 %`."""
    return f"{100 * share:.1f} %"


def interval(figure: Mapping[str, float], digits: int = 1) -> str:
    """value [lower, upper] in per cent."""
    value, low, high = (f"{100 * figure[name]:.{digits}f}" for name in ("value", "lower", "upper"))
    return f"**{value}** [{low}, {high}]"

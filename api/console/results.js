// The Results tab: what contacting brought, in words first; the spend; what is watched.

import { canvas, draw, meter, money, niceStep, percent } from "/charts.js";

const $ = (id) => document.getElementById(id);
const whole = (number) => number.toLocaleString("en-US");
const VERDICTS = {
  "helps": ["Contacting helps", "good"], "hurts": ["Contacting hurts", "bad"],
  "no effect that matters": ["Contacting makes no difference that matters", ""],
  "not known yet": ["Not known yet", ""],
};
const MEASURES = {
  churn: ["Customers who left", percent], retained_value: ["Value kept, per customer", money],
  spend: ["Discounts and contacts, per customer", money], net: ["Value kept after these costs, per customer", money],
};
const points = (share) => `${(100 * share).toFixed(1)} points`;  // of two shares' difference, which isn't a part of either
const WATCHED = {
  as_many_customers_are_active_as_lately: "As many customers are active as lately",
  customers_are_like_those_learnt_from: "Customers are as the models know them",
  scores_are_as_before: "Scores are as before",
  risk_came_true: "The predicted risk comes true",
  acceptance_came_true: "Offers are accepted as told",
  performance_is_expected_to_hold: "The ranking is expected to hold",
  contacts_keep_to_control_group_and_cap: "Contacts keep to the rules",
  spend_keeps_pace_with_the_budget: "Spend stays within the budget",
  fall_backs_are_rare: "The policy and its messages are in use",
  logged_propensities_are_frequencies: "The record can be trusted",
};
const STATES = { ok: "fine", warn: "worth a look", error: "needs somebody now", unknown: "nothing to judge yet" };

export function resultsView({ ask, make, facts, latestOnly }) {
  const last = latestOnly();

  // Commands in a sentence as such, without the marks that reports set them in.
  const inCode = (sentence) => sentence.split("`").map((part, i) => (i % 2 ? make("code", { textContent: part }) : part));

  function showLift(lift) {
    const [title, mood] = lift ? VERDICTS[lift.verdict] : ["Nothing is measured yet", ""];
    Object.assign($("results-verdict"), { textContent: title, className: mood });
    $("results-sentence").replaceChildren(...inCode(lift ? lift.sentence : ""));
    $("results-hint").textContent = lift
      ? `${whole(lift.customers)} customers whose outcome is known: ${whole(lift.treated)} treated, ${whole(lift.control)} left alone.`
        + (lift.needed ? " More customers are new ones, or those of another draw." : "") + ` ${lift.foretold ?? ""} ${lift.counted ?? ""} ${lift.leaving ?? ""}`
      : "The daily job measure_outcomes compares the customers treated with those left alone.";
    $("results-by-customer").textContent = lift?.by_customer ?? "";
    $("results-effects").hidden = !lift?.measures.length;
    if (!lift?.measures.length) return;
    $("results-measures").replaceChildren(...lift.measures.map((measure) => {
      const [name, format] = MEASURES[measure.name];
      const by = format === percent ? points : format;
      const signed = (value) => (value > 0 ? "+" : "") + by(value).replace("-", "−");
      return make("tr", {},
        make("th", { scope: "row", textContent: name }),
        ...[signed(measure.difference), `${signed(measure.lower)} and ${signed(measure.upper)}`,
          format(measure.treated), format(measure.control)].map((text) => make("td", { textContent: text })));
    }));
    $("results-chart").replaceChildren(liftChart(lift.over_time, $("results-chart").clientWidth));
  }

  function showSpend({ spend, watched_at }) {
    $("results-spend").hidden = !spend;
    $("results-spend-hint").textContent = spend ? "" : "Too early to judge.";
    if (!spend) return;
    const share = (spend.spent + spend.expected) / spend.budget;
    const told = `${percent(share)} of the budget is spent or expected to be`;
    facts($("results-money"), [
      ["Accepted, and contacts made", money(spend.spent, 0)], ["Expected of open offers", money(spend.expected, 0)],
      ["Planned to be spent by then", money(spend.due, 0)], ["Budget of the period", money(spend.budget, 0)],
    ]);
    $("results-share").textContent = `As of ${watched_at.slice(0, 10)}, ${told}.`;
    $("results-meter").replaceChildren(meter(share, told));
  }

  function showWatched({ watched, watched_at, retrain }) {
    $("results-watched-hint").textContent = watched_at
      ? `Looked at on ${watched_at.slice(0, 10)}, ${watched_at.slice(11, 16)} UTC.` : "Nothing was looked at yet.";
    $("results-watched").replaceChildren(...watched.map(({ name, state, sentence }) =>
      make("li", { className: `is-${state}` },
        make("strong", { textContent: WATCHED[name] ?? name.replaceAll("_", " ") }),
        make("span", { className: "tag", textContent: STATES[state] }),
        make("p", {}, ...inCode(sentence)))));
    $("results-retrain").hidden = retrain.length === 0;
    $("results-retrain").textContent = `Reason to train again: ${retrain.join("; ")}.`;
  }

  return async () => {
    if (!$("results-hint").textContent) $("results-hint").textContent = "Loading…";
    const { answer, error } = await last(() => ask("/results"));
    if (error) $("results-hint").textContent = error.message;
    if (!answer) return;
    showLift(answer.lift);
    showSpend(answer);
    showWatched(answer);
  };
}

// The gain with its interval, look by look. Early intervals are far wider than all later ones: what
// lies beyond twice the later ones' reach is cut off at the chart's edge.
function liftChart(looks, width) {
  const height = 260, left = 74, right = 16, top = 12, bottom = 44;
  const newest = looks.at(-1);
  const svg = canvas(width, height, `Gain per customer over time. Lately ${money(newest.net)}, between ${money(newest.lower)} and ${money(newest.upper)}.`);
  const later = looks.slice(Math.floor(looks.length / 4));
  const reach = 1.1 * Math.max(1, ...later.flatMap((look) => [Math.abs(look.lower), Math.abs(look.upper)]));
  const at = (look) => look.customers;
  const first = at(looks[0]), span = Math.max(1, at(newest) - first);
  const x = (look) => (left + ((at(look) - first) / span) * (width - left - right)).toFixed(1);
  const y = (value) => {
    const kept = Math.min(reach, Math.max(-reach, value));
    return (top + ((reach - kept) / (2 * reach)) * (height - top - bottom)).toFixed(1);
  };
  const step = niceStep(2 * reach, 5);
  for (let value = -Math.floor(reach / step) * step; value <= reach; value += step) {
    svg.append(
      draw("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: value === 0 ? "axis" : "grid" }),
      draw("text", { x: left - 8, y: Number(y(value)) + 4, "text-anchor": "end", class: "quiet" }, money(value, 0)));
  }
  const line = (key) => looks.map((look) => `${x(look)} ${y(look[key])}`);
  const day = (look) => look.time.slice(0, 10);
  svg.append(
    draw("path", { d: `M${line("upper").join("L")}L${line("lower").reverse().join("L")}Z`, class: "band" }),
    draw("path", { d: `M${line("net").join("L")}`, class: "curve" }),
    draw("text", { x: left, y: height - 24, class: "quiet" }, day(looks[0])),
    draw("text", { x: width - right, y: height - 24, "text-anchor": "end", class: "quiet" }, day(newest)),
    draw("text", { x: width - right, y: height - 6, "text-anchor": "end", class: "quiet" },
      `${whole(first)} to ${whole(at(newest))} customers`));
  return svg;
}

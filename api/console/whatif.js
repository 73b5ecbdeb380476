// What if a field were another? After a decision, each change of the form shows how it would move.
// Such questions are answered as all others are, but decide nothing: no log keeps them.

import { money, percent } from "/charts.js";
import { clearProblems, fillForm, labelOf, readForm, schema, showProblems, unreadable } from "/form.js";
import { $, ask, latestOnly, make } from "/page.js";

const WAIT = 200;  // milliseconds that typing has to rest before it is asked about

const points = (share) => `${(100 * Math.abs(share)).toFixed(1)} points`;
const moved = (by, format, least) => (Math.abs(by) < least ? "unchanged" : `${by > 0 ? "▲" : "▼"} ${format(Math.abs(by))}`);
const FIGURES = [
  ["Churn risk", ({ metadata }) => metadata.churn_risk, percent, points, 5e-5],
  ["Would accept", ({ metadata }) => metadata.accept_prob, percent, points, 5e-5],
  ["Would stay", ({ decision }) => decision.estimated_retention_prob, percent, points, 5e-5],
  ["Expected value", ({ metadata }) => metadata.expected_value, money, money, 5e-3],
];

export function decisionWords({ contact, offer_percentage, delay_days }) {
  const again = delay_days === 0 ? "tomorrow" : `in ${delay_days + 1} days`;
  const offer = offer_percentage ? `with ${offer_percentage} % off` : "without a discount";
  return contact ? `Contact now, ${offer}. Look again ${again}.` : `Do not contact. Look again ${again}.`;
}

// Nothing where the largest value was chosen, or the verdict says already why nobody is contacted.
export function whyNotTheLargest(request, { alternatives, baseline, excluded, group, action_probability }) {
  const chosen = alternatives.find((a) => a.chosen), most = Math.max(...alternatives.map((a) => a.expected_value));
  if (excluded || group === "control" || most - chosen.expected_value < 0.005) return "";
  if (action_probability < 0.5) return "Another option has a larger value: this one is tried for the experiment, to learn from it.";
  const { days_since_contact: days, contacts_this_period: contacts, budget_remaining: left } = request;
  const known = [];
  if (days !== undefined) known.push(`contacted ${days} ${days === 1 ? "day" : "days"} ago`);
  if (contacts !== undefined) known.push(`${contacts} ${contacts === 1 ? "contact" : "contacts"} in this period`);
  if (left !== undefined) known.push(`${percent(left)} of the allowance left`);
  const facts = known.length ? ` (${known.join(", ")})` : "";
  return "Another option has a larger value: these are the values of this one contact alone, and "
    + `${baseline ? "the rules spare" : "the policy spares"} the budget and the customer's attention, too${facts}.`;
}

export function whatIfView() {
  const last = latestOnly();
  let ground = null, resting = 0;  // the customer as they are, and what was decided

  const shown = (value) => (value === undefined ? "unknown" : value === true ? "yes" : value === false ? "no" : String(value));

  function forget() {
    ground = null;
    clearTimeout(resting);
    last(() => Promise.resolve());  // an answer on its way is to a question that nobody asks any more
    $("what-if").hidden = true;
  }

  function begin(request, answer) {
    forget();
    ground = { request, answer };
    $("what-if").hidden = false;
    showChange([], null);
    look();  // a field may have been changed while the answer was on its way
  }

  function showChange(changes, answer) {
    $("what-if-hint").hidden = changes.length > 0;
    $("what-if-back").hidden = changes.length === 0;
    $("what-if-result").hidden = answer === null;
    $("what-if-changed").textContent = changes
      .map((name) => `${labelOf(name)}: ${shown(ground.request[name])} → ${shown(readForm()[name])}`).join("; ");
    if (answer === null) return;
    const decisions = [ground.answer, answer].map(({ decision }) => decisionWords(decision));
    const line = (name, cells) => make("tr", {}, make("th", { scope: "row", textContent: name }),
      ...cells.map((text) => make("td", { textContent: text })));
    $("what-if-rows").replaceChildren(
      ...FIGURES.map(([name, of, format, difference, least]) => {
        const [before, after] = [of(ground.answer), of(answer)];
        const known = typeof before === "number" && typeof after === "number";
        return line(name, [before, after].map((v) => (typeof v === "number" ? format(v) : "–"))
          .concat(known ? moved(after - before, difference, least) : ""));
      }));
    $("what-if-verdict").textContent = decisions[0] === decisions[1]
      ? `The decision stays: ${decisions[1]}` : `The decision would be: ${decisions[1]}`;
  }

  async function look() {
    const wrong = unreadable();
    if (wrong.length) return showProblems(wrong, { focus: false });
    const request = readForm();
    if (request.customer_id !== ground.request.customer_id) return forget();  // somebody else
    const changes = Object.keys(schema.properties).filter((name) => request[name] !== ground.request[name]);
    clearProblems();
    if (!changes.length) {
      last(() => Promise.resolve());
      return showChange([], null);
    }
    const { answer, error } = await last(() =>
      ask("/predict/batch", { customers: [request], with_messages: false, with_reasons: false, record: false }));
    if (error) showProblems([{ loc: [], msg: error.message }], { focus: false });
    if (!answer) return;
    const [{ answer: found, errors }] = answer.results;
    if (errors.length) showProblems(errors, { focus: false });
    showChange(changes, found);
  }

  $("customer").addEventListener("input", () => {
    if (!ground) return;
    clearTimeout(resting);
    resting = setTimeout(look, WAIT);
  });
  $("what-if-back").addEventListener("click", () => {
    fillForm(ground.request);
    look();
  });
  return { begin, forget };
}

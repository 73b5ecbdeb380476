// The console: asks, and shows the answer.

import { planView } from "/campaign.js";
import { bars, budgetOf, drawIn, gauge, meter, money, nothing, pareto, percent } from "/charts.js";
import { buildForm, clearProblems, fillForm, readForm, schema, showProblems, unreadable, words } from "/form.js";
import { $, ask, facts, fetchJson, latestOnly, make, onKey, waitsForKey } from "/page.js";
import { historyView, picksView } from "/picks.js";
import { resultsView } from "/results.js";
import { tableView } from "/rows.js";
import { decisionWords, whatIfView, whyNotTheLargest } from "/whatif.js";

const OFTEN = 60_000;  // milliseconds between looks at what serves: a page may be open for days

// What a check means, by the name that the API gives it; one without words here shows its name.
const checkWords = ({ length, quiet_hours: [night, day] }) => ({
  missing_name: "Says the customer's name", missing_offer: "States the offer",
  wrong_value: "Every figure is the decided one", promised_discount: "Promises no other discount",
  banned_phrase: "No pressure or banned phrase", invalid_length: `${length[0]} to ${length[1]} characters`,
  misused_slot: "Every figure in its place",
  quiet_hours: `Outside quiet hours (${night}–${day} local)`, unfilled_slot: "No unfilled slot",
  link: "No link", phone_or_card_number: "No phone or card number", other_name: "Nobody else's name",
  wrong_service: "Only services they have", wrong_contract: "Their own contract",
  wrong_tenure_band: "Fits how long they have been with us", wrong_tone: "In the tone asked for",
  negated_kindness: "No kind word denied", unfinished: "No sentence cut off", doubled_stop: "No doubled full stop",
  unexpected_character: "Plain characters", shouting: "No shouting", repetition: "No repetition",
  ill_formed: "Numbers fit the words around them",
});

// Checks that had nothing to look at: what a message doesn't do can't be done wrongly.
function spared({ name }, { offer_percentage }, { name_used, name_doubt }) {
  const words = {};
  if (!name || name_used === false) words.missing_name = name_doubt ? `Names nobody; the name: ${name_doubt}` : "Names nobody";
  if (!offer_percentage) words.missing_offer = "Has no offer to state";
  return words;
}

// ---- a decision

const lastDecision = latestOnly();
const whatIf = whatIfView();
const showHistory = historyView();

async function decide() {
  const wrong = unreadable();
  if (wrong.length) return showProblems(wrong);
  const request = readForm();
  const { answer, error } = await lastDecision(() => ask("/predict", request));
  if (answer) {
    clearProblems();
    showAnswer(request, answer);
  }
  if (error) showProblems(error.detail ?? [{ loc: [], msg: error.message }]);
}

$("customer").addEventListener("submit", (event) => { event.preventDefault(); decide(); });

// ---- the answer

let shield = { checks: [], length: [0, 0], quiet_hours: [0, 0] };

function showNothing() {
  lastDecision(() => Promise.resolve());  // an answer on its way is for somebody else
  whatIf.forget();
  $("verdict").textContent = "";
  $("decision-title").textContent = "Decision";
  $("nothing").hidden = false;
  $("answer").hidden = true;
}

function showAnswer(request, answer) {
  const { decision, message, safety, metadata } = answer;
  $("nothing").hidden = true;
  $("answer").hidden = false;
  $("decision-title").textContent = `Decision for ${request.customer_id}`;
  const alone = metadata.group === "control" ? " They are in the control group, which nobody contacts." : "";
  const out = metadata.excluded ? ` This customer ${metadata.excluded.text}.` : "";
  $("verdict").textContent = decisionWords(decision) + (out || alone);
  facts($("facts"), [
    ["Expected value", money(metadata.expected_value)],
    ["Would accept", percent(metadata.accept_prob)],
    ["Would stay", percent(decision.estimated_retention_prob)],
    ["Policy", metadata.baseline ? `${metadata.policy} (rules only)` : metadata.policy],
  ]);
  $("gauge").replaceChildren(gauge(metadata.churn_risk));
  drawIn($("alternatives"), (width) => bars(metadata.alternatives, width));
  $("not-largest").textContent = whyNotTheLargest(request, metadata);
  $("warnings").replaceChildren(...metadata.warnings.map((warning) =>
    make("li", { className: "violated", textContent: `Please check: ${warning}` })));
  $("reasons").replaceChildren(...metadata.reasons.map((reason) =>
    make("li", { className: reason.contribution > 0 ? "raises" : "lowers", textContent: reason.text })));
  showMessage(message, safety, metadata, spared(request, decision, metadata));
  whatIf.begin(request, answer);
  showHistory(request.customer_id);
  const { top, bottom } = $("verdict").getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) $("decision").scrollIntoView();  // on a phone it lies below the list
  $("trace").textContent = `Release ${metadata.release_id}, probability of this action ${percent(metadata.action_probability)}.`;
}

function showMessage(message, safety, metadata, without) {
  $("message-block").hidden = message === null;
  if (message === null) return;
  $("message").textContent = message;
  const authors = { model: "written by the model", grammar: "written by the grammar", template: "reviewed template" };
  $("source").textContent = authors[metadata.message_source] + writtenIn(metadata.language);
  const wait = metadata.send_not_before;
  $("send-time").textContent = wait ? `Quiet hours: send after ${wait.slice(11, 16)} local time on ${wait.slice(0, 10)}.` : "";
  const meaning = checkWords(shield);
  const names = [...new Set([...shield.checks, ...safety.violations])];
  $("checks").replaceChildren(...names.map((name) => {
    const how = safety.violations.includes(name) ? "failed" : name in without ? "spared" : "passed";
    const textContent = how === "spared" ? without[name] : meaning[name] ?? words(name);
    const item = make("li", { className: how, textContent });
    item.setAttribute("aria-label", `${{ failed: "Failed", spared: "Nothing to check", passed: "Passed" }[how]}: ${textContent}`);
    return item;
  }));
}

// Said only where it isn't the usual one, or not the customer's.
function writtenIn({ name, missing }) {
  if (missing) return `, in English: nothing is reviewed in ${missing}`;
  return name === "es" ? ", in Spanish" : "";
}

// ---- other customers

const showPicks = picksView((customer) => {
  fillForm({ customer_id: customer.customer_id, ...customer.features });
  showNothing();
  showHistory(customer.customer_id);
  clearProblems();
  if (schema.required.includes("name")) {
    showProblems([{ loc: ["name"], msg: "Predictions hold no names: enter the customer's name, then decide." }]);
  } else $("decide").focus();
});

tableView();

// ---- the campaign

const lastCampaign = latestOnly();

async function showCampaign() {
  const { answer: campaign, error } = await lastCampaign(() => ask("/campaign"));
  if (error) $("campaign-hint").textContent = error.message;
  if (!campaign) return;
  const by = campaign.baseline ? ", by rules only (kill switch)" : "";
  $("campaign-hint").textContent = `${campaign.customers.toLocaleString("en-US")} customers, release ${campaign.release_id}${by}.`;
  const { budget, of } = budgetOf(campaign), share = campaign.expected_spend / budget;
  facts($("tiles"), [
    ["Contacts", campaign.contacts.toLocaleString("en-US")],
    ["Expected spend", money(campaign.expected_spend)],
    [`Budget of the ${of}`, money(budget)],
    ["Share of the budget", percent(share)],
    ["Expected retained revenue", money(campaign.expected_retained_revenue)],
    ["Expected value", money(campaign.expected_value)],
  ]);
  $("spent").replaceChildren(meter(share, `${percent(share)} of the budget of the ${of} is expected to be spent`));
  $("campaign").hidden = false;  // before the curve, which is drawn at the width it will have
  const blank = campaign.contacts === 0 && !campaign.pareto.some(({ retained }) => retained > 0);
  drawIn($("pareto"), (width) => (blank ? nothing("These decisions contact nobody") : pareto(campaign, width)));
}

const showPlan = planView();

const showResults = resultsView({ ask, make, facts, latestOnly });

// ---- tabs, and the beginning

const tabs = [...document.querySelectorAll("[role=tab]")];

function open(tab) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    $(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  tab.focus();
  load(tab);
  lookAgain();
}

function load(tab) {
  if (tab.id === "tab-campaign") { showCampaign(); showPlan(); }
  if (tab.id === "tab-results") showResults();
}

tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: tabs.length - 1 }[event.key];
    if (step) open(tabs[(i + step) % tabs.length]);
  });
});

let known = null;  // the release whose shield is known

async function showStatus() {
  const [, state] = await fetchJson("/readyz");
  if (waitsForKey()) return;  // the line asks for it
  const parts = [state.ready ? `Release ${state.release_id}` : "Not ready"];
  const invented = state.generated_data.map((name) => name.replaceAll("_", " "));
  if (invented.length) parts.push(`learnt from generated data: ${invented.join(", ")}`);
  if (state.baseline_forced) parts.push("rules only (kill switch)");
  for (const name of ["problem", "predictions_problem", "switch_problem", "feedback_problem", "decisions_problem",
    "contacts_problem", "people_problem"]) {
    if (state[name]) parts.push(state[name]);
  }
  for (const [part, what] of Object.entries(state.stand_ins)) parts.push(`in place of the release's ${part.replaceAll("_", " ")}: ${what}`);
  say(parts.join(" · "));
  if (!state.ready || state.release_id === known) return;
  ({ shield } = await ask("/release"));
  known = state.release_id;
}

// Only what is new: it is read out to who hears the page.
function say(text) { if ($("status").textContent !== text) $("status").textContent = text; }

// Does something of which only the status can say that it failed.
async function tried(action) {
  try {
    await action();
  } catch (error) {
    if (!waitsForKey()) say(error.message);
  }
}

const lookAgain = () => tried(showStatus);

const start = () => tried(async () => {
  if (!schema.required.length) {
    const openapi = await ask("/openapi.json");
    buildForm(openapi.components.schemas.PredictRequest);
    $("decide").disabled = false;  // before, there was nothing to send
  }
  await lookAgain();  // a key may be for the customers and not for what the status asks
  if (!waitsForKey()) await showPicks();
});

onKey(async () => {
  await start();
  if (!waitsForKey()) load(tabs.find((tab) => tab.getAttribute("aria-selected") === "true"));
});
await start();
setInterval(lookAgain, OFTEN);

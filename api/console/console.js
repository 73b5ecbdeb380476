// The console: builds its form from the API's own schema, asks, and shows the answer.
// Whatever comes from outside is shown with textContent, never as markup.

import { planView } from "/campaign.js";
import { bars, gauge, meter, money, pareto, percent } from "/charts.js";
import { resultsView } from "/results.js";

const PAGE = 8;
const WORDS = {
  customer_id: "Customer", tenure: "Months with us", monthly_charges: "Monthly bill ($)",
  name: "Name", force_baseline: "Use the rules only",
};
const UNREACHABLE = "The service can't be reached. Check the connection and try again.";
// What a check means, by the name that the API gives it; one without words here shows its name.
const checkWords = ({ length, quiet_hours: [night, day] }) => ({
  missing_name: "Says the customer's name", missing_offer: "States the offer",
  wrong_value: "Every figure is the decided one", promised_discount: "Promises no other discount",
  banned_phrase: "No pressure or banned phrase", invalid_length: `${length[0]} to ${length[1]} characters`,
  misused_slot: "Every figure in its place",
  quiet_hours: `Outside quiet hours (${night}–${day} local)`, unfilled_slot: "No unfilled slot",
  link: "No link", phone_or_card_number: "No phone or card number", other_name: "Nobody else's name",
  wrong_service: "Only services they have", wrong_contract: "Their own contract",
  unexpected_character: "Plain characters", shouting: "No shouting", repetition: "No repetition",
});
const $ = (id) => document.getElementById(id);
const words = (field) => WORDS[field] ?? (field[0].toUpperCase() + field.slice(1)).replaceAll("_", " ");

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// ---- the API

async function fetchJson(path, options) {
  try {
    const response = await fetch(path, options);
    return [response, await response.json()];
  } catch {
    throw new Error(UNREACHABLE);  // no connection, or something between us answered
  }
}

async function ask(path, body) {
  const headers = { "content-type": "application/json" };
  const key = sessionStorage.getItem("key");
  if (key) headers["x-api-key"] = key;
  const options = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const [response, answer] = await fetchJson(path, options);
  if (response.status === 401) askForKey();
  if (!response.ok) throw Object.assign(new Error(answer.detail.map((d) => d.msg).join("; ")), { detail: answer.detail });
  return answer;
}

async function download(path, name) {
  const key = sessionStorage.getItem("key");
  const response = await fetch(path, { headers: key ? { "x-api-key": key } : {} });
  if (!response.ok) throw new Error((await response.json()).detail.map((d) => d.msg).join("; "));
  const link = make("a", { href: URL.createObjectURL(await response.blob()), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

// Runs one question after another; the answer to one that is no longer the last comes to nothing.
function latestOnly() {
  let last = 0;
  return async (question) => {
    const mine = ++last;
    const settled = await question().then((answer) => ({ answer }), (error) => ({ error }));
    return mine === last ? settled : {};
  };
}

function askForKey() {
  const tried = sessionStorage.getItem("key") !== null;
  sessionStorage.removeItem("key");
  $("key-form").hidden = false;
  $("status").textContent = tried ? "That is no valid API key." : "This service asks for an API key.";
  $("key").focus();
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  $("key-form").hidden = true;
  $("key").value = "";
  start();
});

// ---- the form

let schema = { properties: {}, required: [] };

function resolve(property) {
  const variants = property.anyOf ?? [property];
  return variants.find((v) => v.type !== "null") ?? property;
}

function control(name, property) {
  const kind = resolve(property);
  const example = property.examples?.[0];
  const input = kind.enum || kind.type === "boolean" ? make("select") : make("input");
  if (kind.enum || kind.type === "boolean") {
    const choices = kind.enum ?? [true, false];
    if (!schema.required.includes(name)) input.append(make("option", { value: "", textContent: "unknown" }));
    for (const choice of choices) {
      const text = choice === true ? "yes" : choice === false ? "no" : choice;
      input.append(make("option", { value: JSON.stringify(choice), textContent: text }));
    }
    if (schema.required.includes(name)) input.value = JSON.stringify(example);
  } else if (kind.type === "string") {
    input.type = "text";
    if (schema.required.includes(name)) input.value = example;
  } else {
    Object.assign(input, { type: "number", step: kind.type === "integer" ? 1 : "any" });
    if (kind.minimum !== undefined) input.min = kind.minimum;
    if (kind.maximum !== undefined) input.max = kind.maximum;
    if (schema.required.includes(name)) input.value = example;
  }
  Object.assign(input, { id: `field-${name}`, name, required: schema.required.includes(name) });
  input.setAttribute("aria-describedby", `problem-${name}`);
  return make("div", { className: "field" },
    make("label", { htmlFor: input.id, textContent: property["x-label"] ?? words(name) }), input,
    make("p", { id: `problem-${name}`, className: "problem", hidden: true }));
}

function buildForm() {
  for (const [name, property] of Object.entries(schema.properties)) {
    $(schema.required.includes(name) ? "required" : "optional").append(control(name, property));
  }
}

function valueOf(input) {
  if (input.value === "") return undefined;
  if (input.tagName === "SELECT") return JSON.parse(input.value);
  return input.type === "number" ? Number(input.value) : input.value;
}

function readForm() {
  const request = {};
  for (const name of Object.keys(schema.properties)) {
    const value = valueOf($(`field-${name}`));
    if (value !== undefined) request[name] = value;
  }
  return request;
}

// A number field that holds no number gives an empty value; it must not pass for an unknown one.
function unreadable() {
  return Object.keys(schema.properties)
    .filter((name) => $(`field-${name}`).validity.badInput)
    .map((name) => ({ loc: [name], msg: "This is not a number." }));
}

function fillForm(values) {
  for (const name of Object.keys(schema.properties)) {
    const input = $(`field-${name}`), value = values[name];
    input.value = value === null || value === undefined ? "" : input.tagName === "SELECT" ? JSON.stringify(value) : value;
  }
}

function showProblems(detail) {
  clearProblems();
  const general = [];
  for (const { loc, msg } of detail) {
    const field = $(`field-${loc.at(-1)}`);
    if (!field) { general.push(msg); continue; }
    field.setAttribute("aria-invalid", "true");
    Object.assign($(`problem-${field.name}`), { textContent: msg, hidden: false });
    field.closest("details")?.setAttribute("open", "");
  }
  $("customer").querySelector("[aria-invalid=true]")?.focus();
  Object.assign($("form-error"), { textContent: general.join("; "), hidden: general.length === 0 });
}

function clearProblems() {
  $("form-error").hidden = true;
  for (const field of $("customer").querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    $(`problem-${field.name}`).hidden = true;
  }
}

const lastDecision = latestOnly();

async function decide() {
  const wrong = unreadable();
  if (wrong.length) return showProblems(wrong);
  const request = readForm();
  const { answer, error } = await lastDecision(() => ask("/predict", request));
  if (answer) {
    clearProblems();
    showAnswer(request.customer_id, answer);
  }
  if (error) showProblems(error.detail ?? [{ loc: [], msg: error.message }]);
}

$("customer").addEventListener("submit", (event) => { event.preventDefault(); decide(); });

// ---- the answer

function facts(list, entries) {
  list.replaceChildren(...entries.map(([term, value]) =>
    make("div", {}, make("dt", { textContent: term }), make("dd", { textContent: value }))));
}

let shield = { checks: [], length: [0, 0], quiet_hours: [0, 0] };

function showNothing() {
  lastDecision(() => Promise.resolve());  // an answer on its way is for somebody else
  $("verdict").textContent = "";
  $("decision-title").textContent = "Decision";
  $("nothing").hidden = false;
  $("answer").hidden = true;
}

function showAnswer(customer, { decision, message, safety, metadata }) {
  $("nothing").hidden = true;
  $("answer").hidden = false;
  $("decision-title").textContent = `Decision for ${customer}`;
  const again = decision.delay_days === 0 ? "tomorrow" : `in ${decision.delay_days + 1} days`;
  const offer = decision.offer_percentage ? `with ${decision.offer_percentage} % off` : "without a discount";
  $("verdict").textContent = decision.contact ? `Contact now, ${offer}. Look again ${again}.` : `Do not contact. Look again ${again}.`;
  facts($("facts"), [
    ["Expected value", money(metadata.expected_value)],
    ["Would accept", percent(metadata.accept_prob)],
    ["Would stay", percent(decision.estimated_retention_prob)],
    ["Policy", metadata.baseline ? `${metadata.policy} (rules only)` : metadata.policy],
  ]);
  $("gauge").replaceChildren(gauge(metadata.churn_risk));
  $("alternatives").replaceChildren(bars(metadata.alternatives, $("alternatives").clientWidth));
  $("warnings").replaceChildren(...metadata.warnings.map((warning) =>
    make("li", { className: "violated", textContent: `Please check: ${warning}` })));
  $("reasons").replaceChildren(...metadata.reasons.map((reason) =>
    make("li", { className: reason.contribution > 0 ? "raises" : "lowers", textContent: reason.text })));
  showMessage(message, safety, metadata);
  const { top, bottom } = $("verdict").getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) $("decision").scrollIntoView();  // on a phone it lies below the list
  $("trace").textContent = `Release ${metadata.release_id}, probability of this action ${percent(metadata.action_probability)}.`;
}

function showMessage(message, safety, metadata) {
  $("message-block").hidden = message === null;
  if (message === null) return;
  $("message").textContent = message;
  $("source").textContent = metadata.message_source === "model" ? "written by the model" : "reviewed template";
  const wait = metadata.send_not_before;
  $("send-time").textContent = wait ? `Quiet hours: send after ${wait.slice(11, 16)} local time on ${wait.slice(0, 10)}.` : "";
  const meaning = checkWords(shield);
  const names = [...new Set([...shield.checks, ...safety.violations])];
  $("checks").replaceChildren(...names.map((name) => {
    const failed = safety.violations.includes(name);
    const item = make("li", { className: failed ? "failed" : "passed", textContent: meaning[name] ?? words(name) });
    item.setAttribute("aria-label", `${failed ? "Failed" : "Passed"}: ${item.textContent}`);
    return item;
  }));
}

// ---- the list

let first = 0;

const lastList = latestOnly();

async function showPicks() {
  const { answer, error } = await lastList(() => ask(`/customers?start=${first}&count=${PAGE}`));
  if (answer) {
    const { total, customers } = answer;
    $("pick-hint").textContent = "Tonight's predictions, by expected value.";
    $("picks").replaceChildren(...customers.map(pick));
    $("page").textContent = `${first + 1}–${first + customers.length} of ${total.toLocaleString("en-US")}`;
    $("previous").disabled = first === 0;
    $("next").disabled = first + PAGE >= total;
  }
  if (error) {
    $("pick-hint").textContent = error.message;
    $("previous").disabled = $("next").disabled = true;
  }
}

function pick(customer) {
  const action = customer.contact ? `${customer.offer_percentage} %` : "–";
  const button = make("button", { type: "button" },
    make("span", { className: "who", textContent: customer.customer_id }),
    make("span", { className: "what", textContent: `risk ${percent(customer.churn_risk)}, offer ${action}` }),
    make("span", { className: "worth", textContent: money(customer.expected_value) }));
  button.addEventListener("click", () => {
    for (const other of $("picks").querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
    fillForm({ customer_id: customer.customer_id, ...customer.features });
    showNothing();
    showProblems([{ loc: ["name"], msg: "Predictions hold no names: enter the customer's name, then decide." }]);
  });
  return make("li", {}, button);
}

$("previous").addEventListener("click", () => { first = Math.max(0, first - PAGE); showPicks(); });
$("next").addEventListener("click", () => { first += PAGE; showPicks(); });

// ---- the campaign

const lastCampaign = latestOnly();

async function showCampaign() {
  const { answer: campaign, error } = await lastCampaign(() => ask("/campaign"));
  if (error) $("campaign-hint").textContent = error.message;
  if (!campaign) return;
  const by = campaign.baseline ? ", by rules only (kill switch)" : "";
  $("campaign-hint").textContent = `${campaign.customers.toLocaleString("en-US")} customers, release ${campaign.release_id}${by}.`;
  const share = campaign.expected_spend / campaign.budget;
  facts($("tiles"), [
    ["Contacts today", campaign.contacts.toLocaleString("en-US")],
    ["Expected spend", money(campaign.expected_spend)],
    ["Budget of the period", money(campaign.budget)],
    ["Share of the budget", percent(share)],
    ["Expected retained revenue", money(campaign.expected_retained_revenue)],
    ["Expected value", money(campaign.expected_value)],
  ]);
  $("spent").replaceChildren(meter(share));
  $("campaign").hidden = false;  // before the curve, which is drawn at the width it will have
  $("pareto").replaceChildren(pareto(campaign, $("pareto").clientWidth));
}

const showPlan = planView({ ask, download, make, facts, latestOnly });

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

async function showStatus() {
  const [, state] = await fetchJson("/readyz");
  const parts = [state.ready ? `Release ${state.release_id}` : "Not ready"];
  if (state.baseline_forced) parts.push("rules only (kill switch)");
  for (const problem of [state.problem, state.switch_problem, state.feedback_problem]) if (problem) parts.push(problem);
  $("status").textContent = parts.join(" · ");
  if (state.ready) ({ shield } = await ask("/release"));
}

async function start() {
  try {
    if (!schema.required.length) {
      const [, openapi] = await fetchJson("/openapi.json");
      schema = openapi.components.schemas.PredictRequest;
      buildForm();
    }
    await showStatus();
    await showPicks();
  } catch (error) {
    if ($("key-form").hidden) $("status").textContent = error.message;
  }
}

await start();

// The console: builds its form from the API's own schema, asks, and shows the answer.
// Whatever comes from outside is shown with textContent, never as markup.

import { bars, gauge, money, pareto, percent } from "/charts.js";

const PAGE = 8;
const WORDS = {
  customer_id: "Customer", tenure: "Months with us", monthly_charges: "Monthly bill ($)",
  total_charges: "Billed so far ($)", name: "Name", force_baseline: "Use the rules only",
  streaming_tv: "Streaming TV",
};
const CHECKS = {
  missing_name: "Says the customer's name", missing_offer: "States the offer",
  wrong_value: "Every figure is the decided one", promised_discount: "Promises no other discount",
  banned_phrase: "No pressure or banned phrase", invalid_length: "50 to 200 characters",
  quiet_hours: "Outside quiet hours (22–8 local)", unfilled_slot: "No unfilled slot",
  link: "No link", phone_or_card_number: "No phone or card number", other_name: "Nobody else's name",
  wrong_service: "Only services they have", wrong_contract: "Their own contract",
  unexpected_character: "Plain characters", shouting: "No shouting", repetition: "No repetition",
};
const $ = (id) => document.getElementById(id);
const words = (field) => WORDS[field] ?? (field[0].toUpperCase() + field.slice(1)).replaceAll("_", " ");

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// ---- the API

async function ask(path, body) {
  const headers = { "content-type": "application/json" };
  const key = sessionStorage.getItem("key");
  if (key) headers["x-api-key"] = key;
  const options = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(path, options);
  const answer = await response.json();
  if (response.status === 401) askForKey();
  if (!response.ok) throw Object.assign(new Error(answer.detail.map((d) => d.msg).join("; ")), { detail: answer.detail });
  return answer;
}

function askForKey() {
  $("key-form").hidden = false;
  $("status").textContent = "This service asks for an API key.";
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
  Object.assign(input, { id: `field-${name}`, name });
  input.setAttribute("aria-describedby", `problem-${name}`);
  return make("div", { className: "field" },
    make("label", { htmlFor: input.id, textContent: words(name) }), input,
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

function fillForm(values) {
  for (const name of Object.keys(schema.properties)) {
    if (name === "name") continue;  // predictions hold no names
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

async function decide() {
  try {
    showAnswer(await ask("/predict", readForm()));
    clearProblems();
  } catch (error) {
    showProblems(error.detail ?? [{ loc: [], msg: "The service can't be reached." }]);
  }
}

$("customer").addEventListener("submit", (event) => { event.preventDefault(); decide(); });

// ---- the answer

function facts(list, entries) {
  list.replaceChildren(...entries.map(([term, value]) =>
    make("div", {}, make("dt", { textContent: term }), make("dd", { textContent: value }))));
}

function showAnswer({ decision, message, safety, metadata }) {
  $("nothing").hidden = true;
  $("answer").hidden = false;
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
  $("reasons").replaceChildren(...metadata.reasons.map((reason) =>
    make("li", { className: reason.contribution > 0 ? "raises" : "lowers", textContent: reason.text })));
  showMessage(message, safety, metadata);
  $("trace").textContent = `Release ${metadata.release_id}, probability of this action ${percent(metadata.action_probability)}.`;
}

function showMessage(message, safety, metadata) {
  $("message-block").hidden = message === null;
  if (message === null) return;
  $("message").textContent = message;
  $("source").textContent = metadata.message_source === "model" ? "written by the model" : "reviewed template";
  const wait = metadata.send_not_before;
  $("send-time").textContent = wait ? `Quiet hours: send after ${wait.slice(11, 16)} local time on ${wait.slice(0, 10)}.` : "";
  const names = [...new Set([...Object.keys(CHECKS), ...safety.violations])];
  $("checks").replaceChildren(...names.map((name) => {
    const failed = safety.violations.includes(name);
    const item = make("li", { className: failed ? "failed" : "passed", textContent: CHECKS[name] ?? words(name) });
    item.setAttribute("aria-label", `${failed ? "Failed" : "Passed"}: ${item.textContent}`);
    return item;
  }));
}

// ---- the list

let first = 0;

async function showPicks() {
  try {
    const { total, customers } = await ask(`/customers?start=${first}&count=${PAGE}`);
    $("picks").replaceChildren(...customers.map(pick));
    $("page").textContent = `${first + 1}–${first + customers.length} of ${total.toLocaleString("en-US")}`;
    $("previous").disabled = first === 0;
    $("next").disabled = first + PAGE >= total;
  } catch (error) {
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
    decide();
  });
  return make("li", {}, button);
}

$("previous").addEventListener("click", () => { first = Math.max(0, first - PAGE); showPicks(); });
$("next").addEventListener("click", () => { first += PAGE; showPicks(); });

// ---- the campaign

async function showCampaign() {
  try {
    const campaign = await ask("/campaign");
    $("campaign-hint").textContent = `${campaign.customers.toLocaleString("en-US")} customers, release ${campaign.release_id}.`;
    facts($("tiles"), [
      ["Contacts today", campaign.contacts.toLocaleString("en-US")],
      ["Expected spend", money(campaign.expected_spend)],
      ["Budget of the period", money(campaign.budget)],
      ["Share of the budget", percent(campaign.expected_spend / campaign.budget)],
      ["Expected retained revenue", money(campaign.expected_retained_revenue)],
      ["Expected value", money(campaign.expected_value)],
    ]);
    $("pareto").replaceChildren(pareto(campaign, $("pareto").clientWidth));
  } catch (error) {
    $("campaign-hint").textContent = error.message;
  }
}

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
  if (tab.id === "tab-campaign") showCampaign();
}

tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") open(tabs[(i + 1) % tabs.length]);
  });
});

async function showStatus() {
  const state = await (await fetch("/readyz")).json();
  const parts = [state.ready ? `Release ${state.release_id}` : "Not ready"];
  if (state.baseline_forced) parts.push("rules only (kill switch)");
  if (state.problem) parts.push(state.problem);
  $("status").textContent = parts.join(" · ");
}

async function start() {
  await showStatus();
  await showPicks();
}

const document_ = await (await fetch("/openapi.json")).json();
schema = document_.components.schemas.PredictRequest;
buildForm();
await start();

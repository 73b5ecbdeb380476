// The customer's form: built from the API's own schema, which follows the release's contract.

import { moneyIn, unit } from "/charts.js";
import { $, make } from "/page.js";

const WORDS = {
  customer_id: "Customer", tenure: "Months with us", monthly_charges: "Monthly bill",
  name: "Name", force_baseline: "Use the rules only",
};
export const words = (field) => WORDS[field] ?? (field[0].toUpperCase() + field.slice(1)).replaceAll("_", " ");

export let schema = { properties: {}, required: [] };

export function labelOf(name) {
  const inUnit = name === "monthly_charges" && unit() ? ` (${unit()})` : "";
  return schema.properties[name]["x-label"] ?? words(name) + inUnit;
}

// What a field holds, but for "not known".
export function kindOf(property) {
  const variants = property.anyOf ?? [property];
  return variants.find((v) => v.type !== "null") ?? property;
}

function control(name, property) {
  const kind = kindOf(property);
  const example = property.examples?.[0];
  const input = kind.enum || kind.type === "boolean" ? make("select") : make("input");
  if (kind.enum || kind.type === "boolean") {
    const choices = kind.enum ?? [true, false];
    if (!schema.required.includes(name)) input.append(make("option", { value: "", textContent: "unknown" }));
    for (const choice of choices) {
      const text = choice === true ? "yes" : choice === false ? "no" : property["x-shown"]?.[choice] ?? choice;
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
    make("label", { htmlFor: input.id, textContent: labelOf(name) }), input,
    make("p", { id: `problem-${name}`, className: "problem", hidden: true }));
}

export function buildForm(found) {
  schema = found;
  moneyIn(schema["x-currency"]);
  for (const [name, property] of Object.entries(schema.properties)) {
    $(schema.required.includes(name) ? "required" : "optional").append(control(name, property));
  }
}

function valueOf(input) {
  if (input.value === "") return undefined;
  if (input.tagName === "SELECT") return JSON.parse(input.value);
  return input.type === "number" ? Number(input.value) : input.value;
}

export function readForm() {
  const request = {};
  for (const name of Object.keys(schema.properties)) {
    const value = valueOf($(`field-${name}`));
    if (value !== undefined) request[name] = value;
  }
  return request;
}

// A number field that holds no number gives an empty value; it must not pass for an unknown one.
export function unreadable() {
  return Object.keys(schema.properties)
    .filter((name) => $(`field-${name}`).validity.badInput)
    .map((name) => ({ loc: [name], msg: "This is not a number." }));
}

export function fillForm(values) {
  for (const name of Object.keys(schema.properties)) {
    const input = $(`field-${name}`), value = values[name];
    input.value = value === null || value === undefined ? "" : input.tagName === "SELECT" ? JSON.stringify(value) : value;
  }
}

// Problems stand beside their fields; the first gets the focus, unless somebody is typing.
export function showProblems(detail, { focus = true } = {}) {
  clearProblems();
  const general = [];
  for (const { loc, msg } of detail) {
    const field = $(`field-${loc.at(-1)}`);
    if (!field) { general.push(msg); continue; }
    field.setAttribute("aria-invalid", "true");
    Object.assign($(`problem-${field.name}`), { textContent: msg, hidden: false });
    field.closest("details")?.setAttribute("open", "");
  }
  if (focus) $("customer").querySelector("[aria-invalid=true]")?.focus();
  Object.assign($("form-error"), { textContent: general.join("; "), hidden: general.length === 0 });
}

export function clearProblems() {
  $("form-error").hidden = true;
  for (const field of $("customer").querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    $(`problem-${field.name}`).hidden = true;
  }
}

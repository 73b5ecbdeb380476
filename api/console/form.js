// The customer's form: built from the API's own schema, which follows the release's contract.

import { moneyIn, unit } from "/charts.js";
import { plain, typed } from "/numbers.js";
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
function kindOf(property) {
  const variants = property.anyOf ?? [property];
  return variants.find((v) => v.type !== "null") ?? property;
}

export const isNumber = (name) => ["number", "integer"].includes(kindOf(schema.properties[name]).type);

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
  } else {  // no number field: a browser drops the comma of "89,99" without a word
    Object.assign(input, { type: "text", inputMode: "decimal" });
    if (schema.required.includes(name)) input.value = plain(example);
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
  if (!isNumber(input.name)) return input.value;
  return input.value.trim() ? typed(input.value).number : undefined;
}

export function readForm() {
  const request = {};
  for (const name of Object.keys(schema.properties)) {
    const value = valueOf($(`field-${name}`));
    if (value !== undefined) request[name] = value;
  }
  return request;
}

// Fields of numbers that hold something else, or what may be one of two: it must not pass for unknown.
export function unreadable() {
  return Object.keys(schema.properties).filter(isNumber).flatMap((name) => {
    const { problem } = $(`field-${name}`).value.trim() ? typed($(`field-${name}`).value) : {};
    return problem ? [{ loc: [name], msg: problem }] : [];
  });
}

export function fillForm(values) {
  for (const name of Object.keys(schema.properties)) {
    const input = $(`field-${name}`), value = values[name];
    const shown = () => (input.tagName === "SELECT" ? JSON.stringify(value) : typeof value === "number" ? plain(value) : value);
    input.value = value === null || value === undefined ? "" : shown();
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

// A list of customers that is dropped onto the page: answered by POST /predict/batch, part by part.

import { money, percent } from "/charts.js";
import { parse, separatorOf, write } from "/csv.js";
import { monthsSince } from "/dates.js";
import { isNumber, schema } from "/form.js";
import { readersOf } from "/numbers.js";
import { $, ask, keep, pager, row as tableRow, whole } from "/page.js";

const BATCH = 500;  // customers at a time; fewer where the service takes fewer
const SIZE = 12;
const TRUTH = new Map([["yes", true], ["true", true], ["1", true], ["no", false], ["false", false], ["0", false]]);
const TOO_MUCH = ["too_long", "body_too_large"];
const NOTES = ["refused_row", "refused_because"];  // what `churn predict` adds to refused rows

// The file's text; raises an error in words where it is none.
async function textOf(file) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} is not UTF-8: save it as "CSV UTF-8", then drop it again.`);
  }
}

// Whether months are told from the date since when: no column has them themselves.
const isDated = (columns) => Boolean(schema["x-since"]) && !columns.includes("tenure");

// The field of each column, "" for one that is passed over: the company's own table has more.
function fieldsOf(columns) {
  const known = schema.properties, dated = isDated(columns) ? { [schema["x-since"]]: "tenure" } : {};
  const theirs = { ...dated, ...schema["x-columns"] };
  const own = columns.map((name) => theirs[name.split(/\s+/).join(" ")] ?? "");
  const fields = columns.map((name, i) => (name in known ? name : own[i]));
  const twice = columns.find((name, i) => columns.indexOf(name) < i) ?? fields.find((name, i) => name && fields.indexOf(name) < i);
  if (twice !== undefined) throw new Error(`The column ${twice} is there twice.`);
  const missing = schema.required.filter((name) => !fields.includes(name) && !(name === "customer_id" && schema["x-numbered"]));
  if (missing.length) throw new Error(`The columns ${missing.join(", ")} are missing; there are ${columns.join(", ")}.`);
  const strange = columns.find((name, i) => !fields[i] && !NOTES.includes(name));
  if (strange !== undefined && !own.some((name, i) => name && !(columns[i] in known))) {
    throw new Error(`No customer has a field ${strange}: leave the column out, or name it as in the form.`);
  }
  return fields;
}

// A cell as words are compared: 3.0 is 3.
const asWord = (cell) => cell.toLowerCase().replace(/^([+-]?[0-9]+)[.]0+$/, "$1");

// A language as requests have it; in the company's own words it is its table's to say.
const TAG = /^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$/;

// Whether a field's cell says that it isn't known: the contract's own words for that among them.
function isMissing(field, cell) {
  const words = schema["x-missing"] ?? {};
  if (field === "language" && Object.keys(schema["x-columns"] ?? {}).length && !TAG.test(cell)) return true;
  return cell === "" || (words[field] ?? words[""] ?? []).includes(asWord(cell));
}

// A cell as its field's type; a cell that isn't one stays text, which the field refuses.
function valueOf(field, cell, read) {
  const variants = schema.properties[field].anyOf ?? [schema.properties[field]];
  if (variants.some((v) => v.type === "boolean")) return TRUTH.get(cell.toLowerCase()) ?? cell;
  return read?.(cell) ?? cell;
}

// The rows as `churn predict` reads them: the file is written as the contract says, or as it is found to be.
// Of one that can't be read: what is `wrong`, as [column, value, why].
function customersOf(text) {
  const given = schema["x-format"] ?? {};
  const [header, ...records] = parse(text, given.delimiter ?? separatorOf(text));
  if (!records.length) throw new Error("There are no customers in it: a header, then one line for each.");
  const columns = header.cells.map((name) => name.trim()), fields = fieldsOf(columns);
  const sound = records.filter(({ cells, problem }) => !problem && cells.length === columns.length);
  const dated = isDated(columns) ? fields.indexOf("tenure") : -1;
  const numeric = fields.flatMap((field, j) => (field && isNumber(field) && j !== dated ? [j] : []));
  const readers = readersOf(numeric.map((j) => sound.map(({ cells }) => cells[j].trim())), given);
  const months = (cell) => monthsSince(cell, undefined, given.date);
  const reads = new Map([[dated, months], ...numeric.map((j, i) => [j, readers[i]])]);
  const rows = records.map(({ cells, line, problem }, i) => {
    const number = i + 1, width = `has ${cells.length} cells where the header has ${columns.length}`;
    if (problem || cells.length !== columns.length) {
      return { number, cells, wrong: [["", cells.length ? cells.join(" ") : line, problem || width]] };
    }
    const customer = schema["x-numbered"] ? { customer_id: `R${number}` } : {}, wrong = [];
    fields.forEach((field, j) => {
      const cell = cells[j].trim();
      if (!field || isMissing(field, cell)) return;
      const why = schema["x-format"] && reads.get(j)?.doubt?.(cell);  // without a contract nobody can say it
      if (why) wrong.push([columns[j], cell, why]);
      customer[field] = valueOf(field, cell, reads.get(j));
    });
    return wrong.length ? { number, cells, wrong } : { number, cells, customer };
  });
  return { columns, fields, rows };
}

// What is wrong with a row, as [row, column, value, why].
function refusals({ columns, fields }, { number, cells }, errors) {
  return errors.map(({ loc, msg }) => {
    const place = fields.indexOf(loc[3]);
    return [number, columns[place] ?? loc[3] ?? "", cells[place] ?? "", msg];
  });
}

const ANSWER = ["row", "customer_id", "contact", "offer_percentage", "delay_days", "churn_risk", "accept_prob",
  "expected_value", "estimated_retention_prob", "message", "safety_passed", "excluded", "decision_id", "release_id"];

function flat(number, customer, { decision, message, safety, metadata }) {
  return { row: number, customer_id: customer.customer_id, ...metadata, ...decision, message, safety_passed: safety.passed,
    excluded: metadata.excluded?.rule, why: metadata.excluded?.text };
}

export function tableView() {
  let asked = 0, answers = [], refused = [], name = "", record = true;

  const answered = pager({ previous: "rows-previous", next: "rows-next", place: "rows-page" }, SIZE, (first, count) => {
    const some = answers.slice(first, first + count);
    $("rows-answers").replaceChildren(...some.map((a) => tableRow([
      a.row, a.customer_id, percent(a.churn_risk), a.contact ? `contact, ${a.offer_percentage} %` : `no contact${a.why ? `: ${a.why}` : ""}`,
      money(a.expected_value), a.message ?? ""])));
    answered.shown(some.length, answers.length);
  });
  const refusedPages = pager({ previous: "refused-previous", next: "refused-next", place: "refused-page" }, SIZE, (first, count) => {
    const some = refused.slice(first, first + count);
    $("rows-refusals").replaceChildren(...some.map(tableRow));
    refusedPages.shown(some.length, refused.length);
  });

  function say(text, problem = "") {
    $("rows-state").textContent = text;
    Object.assign($("rows-problem"), { textContent: problem, hidden: problem === "" });
  }

  function show() {
    $("rows-found").hidden = answers.length === 0;
    $("rows-refused").hidden = refused.length === 0;
    answered.restart();
    refusedPages.restart();
  }

  function sums(done, all) {
    const contacts = answers.filter((a) => a.contact), bad = new Set(refused.map(([number]) => number)).size;
    const worth = contacts.reduce((sum, a) => sum + a.expected_value, 0);
    const how = done < all ? `${whole(done)} of ${whole(all)} rows: ` : "";
    return `${name}: ${how}${whole(answers.length)} answered, ${whole(bad)} refused; `
      + `${whole(contacts.length)} to contact, worth ${money(worth, 0)}. `
      + (record ? "The answers are in the decision log." : "Nothing was kept.");
  }

  // The results for these rows, in as many questions as the service needs.
  async function batch(rows) {
    try {
      const customers = rows.map((r) => r.customer);
      return (await ask("/predict/batch", { customers, with_reasons: false, record })).results;
    } catch (error) {
      if (rows.length === 1 || !error.detail?.some((d) => TOO_MUCH.includes(d.type))) throw error;
      const half = Math.ceil(rows.length / 2);
      return [...await batch(rows.slice(0, half)), ...await batch(rows.slice(half))];
    }
  }

  async function read(file) {
    const mine = ++asked;
    [answers, refused, name, record] = [[], [], file.name, $("rows-record").checked];
    show();
    say(`Reading ${name}…`);
    let table = { rows: [] }, done = 0;
    try {
      table = customersOf(await textOf(file));
      for (let start = 0; start < table.rows.length; start += BATCH) {
        const part = table.rows.slice(start, start + BATCH), sound = part.filter((r) => !r.wrong);
        const results = sound.length ? await batch(sound) : [];
        if (mine !== asked) return;  // another file was dropped meanwhile
        const of = new Map(sound.map((r, i) => [r.number, results[i]]));
        for (const r of part) {
          const result = of.get(r.number);
          if (r.wrong) refused.push(...r.wrong.map((cell) => [r.number, ...cell]));
          else if (result.answer) answers.push(flat(r.number, r.customer, result.answer));
          else refused.push(...refusals(table, r, result.errors));
        }
        done += part.length;
        say(sums(done, table.rows.length));
      }
      say(sums(done, done));
    } catch (error) {
      if (mine !== asked) return;
      say(done ? sums(done, table.rows.length) : "", `${name}: ${error.message}`);
    }
    show();
  }

  const stem = () => name.replace(/\.[^.]*$/, "");
  $("rows-download").addEventListener("click", () =>
    keep(write([ANSWER, ...answers.map((a) => ANSWER.map((column) => a[column]))]), `${stem()}-decisions.csv`));
  $("refused-download").addEventListener("click", () =>
    keep(write([["row", "column", "value", "why"], ...refused]), `${stem()}-refused.csv`));
  $("rows-file").addEventListener("change", ({ target }) => {
    if (target.files.length) read(target.files[0]);
    target.value = "";  // so that the same file can be chosen again
  });
  const place = $("panel-customer"), mark = (on) => $("rows").classList.toggle("ready", on);
  place.addEventListener("dragover", (event) => { event.preventDefault(); mark(true); });
  place.addEventListener("dragleave", (event) => { if (!place.contains(event.relatedTarget)) mark(false); });
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    const [file, ...others] = event.dataTransfer.files;
    if (others.length) return say("", "Drop one file at a time.");
    if (file) read(file);
  });
}

// What every view of the page does: ask the API, make elements, keep files.
// Whatever comes from outside is shown with textContent, never as markup.

const UNREACHABLE = "The service can't be reached. Check the connection and try again.";

export const $ = (id) => document.getElementById(id);
export const whole = (number) => number.toLocaleString("en-US");

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export async function fetchJson(path, options) {
  try {
    const response = await fetch(path, options);
    return [response, await response.json()];
  } catch {
    throw new Error(UNREACHABLE);  // no connection, or something between us answered
  }
}

export async function ask(path, body) {
  const headers = { "content-type": "application/json" };
  const key = sessionStorage.getItem("key");
  if (key) headers["x-api-key"] = key;
  const options = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const [response, answer] = await fetchJson(path, options);
  if (response.status === 401) askForKey();
  if (!response.ok) throw Object.assign(new Error(answer.detail.map((d) => d.msg).join("; ")), { detail: answer.detail });
  return answer;
}

export function keep(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

export async function download(path, name) {
  const key = sessionStorage.getItem("key");
  const response = await fetch(path, { headers: key ? { "x-api-key": key } : {} });
  if (!response.ok) throw new Error((await response.json()).detail.map((d) => d.msg).join("; "));
  keep(await response.blob(), name);
}

// Runs one question after another; the answer to one that is no longer the last comes to nothing.
export function latestOnly() {
  let last = 0;
  return async (question) => {
    const mine = ++last;
    const settled = await question().then((answer) => ({ answer }), (error) => ({ error }));
    return mine === last ? settled : {};
  };
}

export function facts(list, entries) {
  list.replaceChildren(...entries.map(([term, value]) =>
    make("div", {}, make("dt", { textContent: term }), make("dd", { textContent: value }))));
}

export const row = (cells) => make("tr", {}, ...cells.map((text) => make("td", { textContent: text })));

export function askForKey() {
  const tried = sessionStorage.getItem("key") !== null;
  sessionStorage.removeItem("key");
  $("key-form").hidden = false;
  $("status").textContent = tried ? "That is no valid API key." : "This service asks for an API key.";
  $("key").focus();
}

// A long list, a page at a time: `names` are the ids of the buttons and of the place between them.
export function pager({ previous, next, place }, size, show) {
  let first = 0, total = 0;
  const turn = (by) => { first = Math.max(0, first + by); show(first, size); };
  $(previous).addEventListener("click", () => turn(-size));
  $(next).addEventListener("click", () => turn(size));
  return {
    restart() { first = 0; show(first, size); },
    shown(count, all) {
      total = all;
      $(place).textContent = total ? `${whole(first + 1)}–${whole(first + count)} of ${whole(total)}` : "none";
      $(previous).disabled = first === 0;
      $(next).disabled = first + size >= total;
    },
    failed() { $(previous).disabled = $(next).disabled = true; },
  };
}

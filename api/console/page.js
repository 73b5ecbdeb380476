// What every view of the page does: ask the API, make elements, keep files.
// Whatever comes from outside is shown with textContent, never as markup.

const UNREACHABLE = "The service can't be reached. Check the connection and try again.";

export const WAIT = 150;  // milliseconds that a person's typing or sliding has to rest before it is asked about

export const $ = (id) => document.getElementById(id);
export const whole = (number) => number.toLocaleString("en-US");

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const lost = () => { throw new Error(UNREACHABLE); };  // no connection, or something between us answered
const jsonOf = (response) => response.json().catch(lost);

export async function fetchJson(path) {
  const response = await fetch(path).catch(lost);
  return [response, await jsonOf(response)];
}

// The answer to who has the API key that was given. Who has none, or one that no longer holds, is asked.
async function asCaller(path, options = {}) {
  const key = sessionStorage.getItem("key");
  const headers = { ...options.headers, ...(key && { "x-api-key": key }) };
  const response = await fetch(path, { ...options, headers }).catch(lost);
  // Another key may have been given while an answer to the old one was on its way.
  if (response.status === 401 && sessionStorage.getItem("key") === key) askForKey(key !== null);
  if (response.ok) return response;
  const { detail } = await jsonOf(response);
  if (response.status === 403 && sessionStorage.getItem("key") === key) offerKey();
  throw Object.assign(new Error(detail.map((d) => d.msg).join("; ")), { detail });
}

export async function ask(path, body) {
  const headers = { "content-type": "application/json" };
  return jsonOf(await asCaller(path, body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) }));
}

export function keep(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

export async function download(path, name) {
  keep(await (await asCaller(path)).blob().catch(lost), name);
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

const SENDABLE = /^[\x20-\xff]+$/;  // in a header; more makes a browser send nothing at all

let keyless = false;  // nothing is answered before a key is given

// `tried`: a key was given, and isn't one.
function askForKey(tried) {
  sessionStorage.removeItem("key");
  keyless = true;
  $("key-form").hidden = false;
  $("key-hint").hidden = true;
  $("status").textContent = tried ? "That is no valid API key." : "This service asks for an API key.";
  $("key").focus();
}

// The key holds, but not for this: what it is for goes on with it, until another one is given.
function offerKey() {
  if (keyless) return;
  $("key-form").hidden = $("key-hint").hidden = false;
}

// Whoever waits for a key begins with it, by `begin`.
export function onKey(begin) {
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = $("key").value.trim();
    $("key").value = "";
    if (!SENDABLE.test(key)) return askForKey(true);
    sessionStorage.setItem("key", key);
    keyless = false;
    $("key-form").hidden = $("key-hint").hidden = true;
    begin();
  });
}

export const waitsForKey = () => keyless;

// Calls `action` once typing rests; what it returns keeps a call that is due from being made.
export function whenTyped(input, action) {
  let resting = 0;
  input.addEventListener("input", () => {
    clearTimeout(resting);
    resting = setTimeout(action, WAIT);
  });
  return () => clearTimeout(resting);
}

// A long list, a page at a time: the first three are the ids of the buttons and of the place between
// them. A page that failed to come is turned to again by the same button.
export function pager({ previous, next, place }, size, show) {
  let first = 0, wanted = 0, total = 0;  // where the page that is shown begins, and the one asked for last
  const turn = (by) => { wanted = Math.max(0, wanted + by); show(wanted, size); };
  const able = () => {
    $(previous).disabled = first <= 0;
    $(next).disabled = first >= 0 && first + size >= total;
  };
  $(previous).addEventListener("click", () => turn(-size));
  $(next).addEventListener("click", () => turn(size));
  return {
    restart() {
      first = -size;  // of this list no page is shown yet: the next one is its first
      wanted = 0;
      show(wanted, size);
    },
    shown(count, all) {
      [first, total] = [wanted, all];
      $(place).textContent = total ? `${whole(first + 1)}–${whole(first + count)} of ${whole(total)}` : "none";
      able();
    },
    failed() {
      wanted = first;
      able();
    },
  };
}

// Three small charts as SVG elements. Text always goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

// How an amount begins: by the contract's currency; with nothing where none is known.
let sign = "";
export const moneyIn = (currency) => { sign = currency ?? ""; };
export const unit = () => sign.trim();

export const money = (value, digits = 2) => {
  const style = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return (value < 0 ? "−" : "") + sign + Math.abs(value).toLocaleString("en-US", style);
};
const tick = (value) => money(value, Number.isInteger(value) ? 0 : 2);  // of an axis
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

export function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

export function canvas(width, height, label) {
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}

export function gauge(share) {
  const svg = canvas(200, 118, `Churn risk ${percent(share)}`);
  const arc = "M 20 104 A 80 80 0 0 1 180 104";
  svg.append(
    draw("path", { d: arc, class: "rail", "stroke-width": 16, pathLength: 100 }),
    draw("path", { d: arc, class: "level", "stroke-width": 16, pathLength: 100, "stroke-dasharray": `${100 * share} 100` }),
    draw("text", { x: 100, y: 96, "text-anchor": "middle", class: "big" }, percent(share)),
  );
  return svg;
}

export function meter(share, label) {
  const svg = canvas(1000, 14, label);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.append(
    draw("rect", { width: 1000, height: 14, class: "rest" }),
    draw("rect", { width: 1000 * Math.min(1, share), height: 14, class: share > 1 ? "over" : "chosen" }));
  return svg;
}

// Charts are drawn at the width they are shown at, so that text keeps its size on a phone, and again
// when that changes.
const drawn = new Map();  // place -> what draws its chart, and at which width it did
const watcher = new ResizeObserver((changes) => {
  for (const { target } of changes) if (target.clientWidth && target.clientWidth !== drawn.get(target).width) redraw(target);
});

function redraw(place) {
  const { chart } = drawn.get(place);
  drawn.set(place, { chart, width: place.clientWidth });
  place.replaceChildren(chart(place.clientWidth));
}

export function drawIn(place, chart) {
  drawn.set(place, { chart, width: 0 });
  redraw(place);
  watcher.observe(place);
}

export function bars(alternatives, width) {
  const row = 34, left = 128, right = 72;
  const label = (a) => (a.contact ? `Contact, ${a.offer_percentage} %` : "No contact");
  const summary = alternatives.map((a) => `${label(a)}: ${money(a.expected_value)}`).join("; ");
  const svg = canvas(width, row * alternatives.length + 4, summary);
  const values = alternatives.map((a) => a.expected_value);
  const low = Math.min(0, ...values), high = Math.max(0, ...values, low + 1e-9);
  const x = (value) => left + ((value - low) / (high - low)) * (width - left - right);
  alternatives.forEach((a, i) => {
    const y = i * row, from = Math.min(x(0), x(a.expected_value));
    const length = Math.max(2, Math.abs(x(a.expected_value) - x(0)));
    const strong = a.chosen ? "strong" : "";
    svg.append(
      draw("text", { x: 0, y: y + 21, class: strong }, (a.chosen ? "● " : "") + label(a)),
      draw("rect", { x: from, y: y + 6, width: length, height: row - 12, rx: 3, class: a.chosen ? "chosen" : "bar" }),
      draw("text", { x: from + length + 6, y: y + 21, class: strong }, money(a.expected_value)),
    );
  });
  svg.append(draw("line", { x1: x(0), x2: x(0), y1: 0, y2: row * alternatives.length, class: "axis" }));
  return svg;
}

// A step of 1, 2 or 5 times a power of ten that divides `range` into at most `count` parts.
export function niceStep(range, count) {
  const power = 10 ** Math.floor(Math.log10(range / count));
  return power * ([1, 2, 5, 10].find((factor) => factor * power * count >= range));
}

// What stands in place of a chart where all of it would be nothing.
export function nothing(who) {
  const textContent = `${who}, so there is nothing to compare.`;
  return Object.assign(document.createElement("p"), { className: "hint", textContent });
}

// One quantity against another, with a mark where the plan stands.
export function curve(points, now, { x: name, format }, width) {
  const height = 240, left = 84, right = 24, top = 14, bottom = 44;
  const wide = 1.04 * Math.max(1, now, ...points.map((p) => p.x)), tall = 1.06 * Math.max(1, ...points.map((p) => p.y));
  const x = (value) => left + (value / wide) * (width - left - right);
  const y = (value) => height - bottom - (value / tall) * (height - top - bottom);
  const svg = canvas(width, height, `Expected value against ${name}: ${points.map((p) => `${money(p.y, 0)} at ${format(p.x)}`).join("; ")}`);
  for (let value = 0, step = niceStep(tall, 4); value <= tall; value += step) {
    svg.append(
      draw("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }),
      draw("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end", class: "quiet" }, money(value, 0)));
  }
  for (let value = 0, step = niceStep(wide, width / 110); value <= wide; value += step) {
    svg.append(draw("text", { x: x(value), y: height - bottom + 20, "text-anchor": "middle", class: "quiet" }, format(value)));
  }
  const path = points.map((p, i) => `${i ? "L" : "M"}${x(p.x).toFixed(1)} ${y(p.y).toFixed(1)}`).join(" ");
  svg.append(
    draw("path", { d: path, class: "curve" }),
    draw("line", { x1: x(now), x2: x(now), y1: top, y2: height - bottom, class: "limit" }),
    draw("text", { x: x(now) + 6, y: height - bottom - 8 }, "this plan"),
    draw("text", { x: (left + width) / 2, y: height - 6, "text-anchor": "middle", class: "quiet" }, name));
  return svg;
}

/** The budget that is followed: the month's, where there is one, else the release's of a period. */
export function budgetOf({ budget, month_budget: month }) {
  return typeof month === "number" ? { budget: month, of: "month" } : { budget, of: "period" };
}

export function pareto(campaign, width) {
  const { budget, of } = budgetOf(campaign);
  const height = 320, left = 92, right = 24, top = 14, bottom = 44;
  const decided = { spend: campaign.expected_spend, retained: campaign.expected_retained_revenue };
  const points = [{ spend: 0, retained: 0 }, ...campaign.pareto];
  const most = (key, extra) => 1.06 * Math.max(1, extra, ...points.map((p) => p[key]));
  const wide = most("spend", Math.max(decided.spend, budget)), tall = most("retained", decided.retained);
  const x = (spend) => left + (spend / wide) * (width - left - right);
  const y = (retained) => height - bottom - (retained / tall) * (height - top - bottom);
  const svg = canvas(width, height,
    `Retained revenue against spend. As decided: ${money(decided.retained)} for ${money(decided.spend)}; budget of the ${of} ${money(budget)}.`);
  for (let retained = 0, step = niceStep(tall, 5); retained <= tall; retained += step) {
    svg.append(
      draw("line", { x1: left, x2: width - right, y1: y(retained), y2: y(retained), class: "grid" }),
      draw("text", { x: left - 8, y: y(retained) + 4, "text-anchor": "end", class: "quiet" }, tick(retained)));
  }
  for (let spend = 0, step = niceStep(wide, width / 110); spend <= wide; spend += step) {
    svg.append(draw("text", { x: x(spend), y: height - bottom + 20, "text-anchor": "middle", class: "quiet" }, tick(spend)));
  }
  const path = points.map((p, i) => `${i ? "L" : "M"}${x(p.spend).toFixed(1)} ${y(p.retained).toFixed(1)}`).join(" ");
  const beside = (at, gap) => (x(at) > width / 2 ? { x: x(at) - gap, "text-anchor": "end" } : { x: x(at) + gap });
  svg.append(
    draw("path", { d: path, class: "curve" }),
    draw("line", { x1: x(budget), x2: x(budget), y1: top, y2: height - bottom, class: "limit" }),
    draw("text", { ...beside(budget, 6), y: height - bottom - 8 }, `budget of the ${of}`),
    draw("circle", { cx: x(decided.spend), cy: y(decided.retained), r: 7, class: "decided" }),
    draw("text", { ...beside(decided.spend, 12), y: y(decided.retained) + 20, class: "strong" }, "as decided"),
    draw("text", { x: (left + width) / 2, y: height - 6, "text-anchor": "middle", class: "quiet" }, "expected spend on discounts"),
  );
  return svg;
}

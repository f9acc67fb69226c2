// Charts that push: the last two minutes, drawn anew with each look. What they show is also said in words, for those who do not see them.
import { el, number, svg, t } from "./page.js";

const SECONDS = 120;

/** Round numbers at the top, so that the scale does not jump with every look. */
function top(most) {
  if (most <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= most);
}

/** A figure with one area and perhaps a line; `draw(points)` takes [{at_ms, a, l}]. */
export function plot({ title, area, line }) {
  const [high, middle] = [el("span"), el("span")];
  const picture = svg("svg", { viewBox: "0 0 1000 1000", preserveAspectRatio: "none", role: "img" });
  const shape = svg("polygon", { class: "area" });
  const edge = svg("polyline", { class: "edge" });
  const over = svg("polyline", { class: "over" });
  picture.append(svg("path", { class: "grid", d: "M0 0H1000M0 500H1000M0 1000H1000" }), shape, edge, over);
  const key = el("div", { class: "key" },
    el("span", {}, el("i", { class: "a" }), area), line ? el("span", {}, el("i", { class: "l" }), line) : null);
  const figure = el("figure", {},
    el("figcaption", {}, el("strong", {}, title), key),
    el("div", { class: "plot" },
      el("div", { class: "y", "aria-hidden": "true" }, high, middle, el("span", {}, "0")), picture,
      el("div", { class: "x", "aria-hidden": "true" }, el("span", {}, t("two_minutes_ago")), el("span", {}, t("now")))));

  function draw(points) {
    const last = points.at(-1)?.at_ms ?? 0;
    const shown = points.filter((p) => p.at_ms > last - SECONDS * 1000);
    const scale = top(Math.max(0, ...shown.flatMap((p) => [p.a, p.l ?? 0])));
    const x = (p) => (1000 - (last - p.at_ms) / SECONDS).toFixed(1);
    const y = (value) => (1000 - (value / scale) * 1000).toFixed(1);
    const along = (of) => shown.map((p) => `${x(p)},${y(of(p))}`).join(" ");
    edge.setAttribute("points", along((p) => p.a));
    shape.setAttribute("points", shown.length ? `${x(shown[0])},1000 ${along((p) => p.a)} 1000,1000` : "");
    over.setAttribute("points", line ? along((p) => p.l ?? 0) : "");
    high.textContent = number(scale);
    middle.textContent = number(scale / 2);
    const now = points.at(-1);
    const said = now ? `${title}: ${area} ${number(now.a)}${line ? `, ${line} ${number(now.l ?? 0)}` : ""}` : title;
    picture.setAttribute("aria-label", said);
  }
  draw([]);
  return { figure, draw };
}

/** A bar of parts that make up a whole: [[class, amount]]. */
export function stack(said) {
  const bar = svg("svg", { class: "stack", viewBox: "0 0 1000 10", preserveAspectRatio: "none", role: "img" });
  function draw(parts, whole, words) {
    while (bar.childElementCount < parts.length) bar.append(svg("rect", { height: 10 }));
    let from = 0;
    parts.forEach(([kind, amount], i) => {
      const width = whole > 0 ? (amount / whole) * 1000 : 0;
      const rect = bar.children[i];
      rect.setAttribute("class", kind);
      rect.setAttribute("x", from.toFixed(2));
      rect.setAttribute("width", Math.max(0, width).toFixed(2));
      from += width;
    });
    bar.setAttribute("aria-label", `${said}: ${words}`);
  }
  draw([], 0, "");
  return { bar, draw };
}

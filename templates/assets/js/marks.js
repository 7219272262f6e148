// Map markers as SVG elements, for L.divIcon({html: element, className: ""}) or a list. Built node by node, so
// that no word of a report is ever read as markup.
import { spriteAt } from "./words.js";

const NS = "http://www.w3.org/2000/svg";
/** The fixed order of a ring's segments, clockwise from twelve. */
export const STATES = ["reported", "assigned", "supervised", "rectified", "verified", "closed"];

function make(name, attributes, parent) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent?.append(node);
  return node;
}

/** One issue: {kind, state, late?, soon?, live?, picked?, label}. 44 × 44, its point in the middle. */
export function pin(issue) {
  const cls = "pin state-" + issue.state + (issue.late ? " is-late" : "") + (issue.picked ? " is-picked" : "");
  const svg = make("svg", { class: cls, viewBox: "-22 -22 44 44", role: "img", "aria-label": issue.label ?? "" });
  if (issue.late) make("path", { class: "octagon", d: "M-6.5-15.7h13l9.2 9.2v13l-9.2 9.2h-13l-9.2-9.2v-13z" }, svg);
  else if (issue.live) make("rect", { class: "disc", x: -15, y: -15, width: 30, height: 30 }, svg);
  else make("circle", { class: "disc", r: 15 }, svg);
  const glyph = make("svg", { class: "glyph", x: -10, y: -10, width: 20, height: 20 }, svg);
  make("use", { href: spriteAt() + "#kind-" + issue.kind }, glyph);
  if (issue.soon && !issue.late) make("path", { class: "soon", d: "M12-19.5 19-7H5z" }, svg);
  make("circle", { class: "picked", r: 20 }, svg);
  return svg;
}

/** A cluster: {counts: {state: n}, late?: n, soon?: n, label, lateWord, soonWord}. */
export function ring(cluster) {
  const svg = make("svg", { class: "ring", viewBox: "-26 -26 52 52", role: "img", "aria-label": cluster.label ?? "" });
  make("circle", { class: "ground", r: 22 }, svg);
  const total = STATES.reduce((sum, state) => sum + (cluster.counts[state] ?? 0), 0);
  const around = 2 * Math.PI * 19;
  const parts = STATES.filter((state) => cluster.counts[state]);
  let start = 0;
  for (const state of parts) {
    const share = (cluster.counts[state] / total) * around;
    const gap = parts.length > 1 ? 2 : 0;
    make("circle", {
      class: "share state-" + state, r: 19, transform: "rotate(-90)",
      "stroke-dasharray": Math.max(0.5, share - gap) + " " + around, "stroke-dashoffset": -start,
    }, svg);
    start += share;
  }
  make("text", { class: "total", y: 5.5 }, svg).textContent = cluster.total ?? total;
  const tab = cluster.late ? cluster.lateWord ?? "超" : cluster.soon ? cluster.soonWord ?? "将" : "";
  if (tab) {
    make("rect", { class: cluster.late ? "tab tab-late" : "tab", x: 4, y: -27, width: 34, height: 17, rx: 4 }, svg);
    make("text", { class: "tab-words", x: 21, y: -14.2 }, svg).textContent = tab + " " + (cluster.late || cluster.soon);
  }
  return svg;
}

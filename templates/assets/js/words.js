// The few sentences scripts say, in the page's language: _base.html writes those of every page as JSON in #words,
// a page its own in a block marked data-words.
const blocks = document.querySelectorAll("#words, script[data-words]");
const words = Object.assign({}, ...[...blocks].map((block) => JSON.parse(block.textContent)));

/** The sentence `key` with {name} places filled. */
export function say(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Speak once through the page's polite live region. */
export function speak(sentence) {
  const live = document.getElementById("live");
  if (!live) return;
  const line = document.createElement("p");
  line.textContent = sentence;
  live.append(line);
  while (live.children.length > 5) live.firstElementChild.remove();
}

/** An icon of the sprite as an SVG element. */
export function icon(name, cls = "icon") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", cls);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", spriteAt() + "#" + name);
  svg.append(use);
  return svg;
}

/** Where the sprite lies: taken from any icon on the page, so that a versioned address is kept. */
export function spriteAt() {
  const use = document.querySelector("svg.icon use");
  return use ? use.getAttribute("href").split("#")[0] : "/assets/icons.svg";
}

"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const query = $("query");
  const PREFIX = "#q=";
  const MARKS = 2000;
  const RANKS = 4;

  const entries = [...document.querySelectorAll(".entry")].map((element, place) => ({
    element,
    place,
    name: element.dataset.name.toLowerCase(),
    text: null,
    link: document.querySelector(`[data-for="${CSS.escape(element.id)}"]`),
    section: element.closest("section"),
  }));

  // What a search looks at: all words but those of examples, which repeat the members.
  function textOf(entry) {
    if (entry.text === null) {
      const copy = entry.element.cloneNode(true);
      for (const other of copy.querySelectorAll(".example, .permalink, wbr")) other.remove();
      copy.normalize();
      const parts = [];
      const walker = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) parts.push(walker.currentNode.data);
      entry.text = `${entry.name} ${entry.element.id} ${parts.join(" ")}`.toLowerCase().replace(/\s+/g, " ");
    }
    return entry.text;
  }

  // The name itself, a name that begins so, a name that has it in it, any word.
  function rankOf(entry, text, words) {
    if (entry.name === text) return 0;
    if (entry.name.startsWith(text)) return 1;
    if (words.every((word) => entry.name.includes(word))) return 2;
    return words.every((word) => textOf(entry).includes(word)) ? 3 : RANKS;
  }

  function counted(number, one, many) {
    return `${number} ${number === 1 ? one : many}`;
  }

  let hits = [];

  function search(text) {
    const wanted = text.trim().toLowerCase().replace(/\s+/g, " ");
    const words = wanted.split(" ").filter(Boolean);
    const sections = new Map();
    const ranked = entries.map((entry) => [words.length ? rankOf(entry, wanted, words) : 0, entry]);
    hits = ranked.filter(([rank]) => rank < RANKS)
      .sort(([a, x], [b, y]) => a - b || x.place - y.place)
      .map(([, entry]) => entry.element);
    let found = 0;
    for (const [rank, entry] of ranked) {
      const hit = rank < RANKS;
      entry.element.hidden = !hit;
      if (entry.link) entry.link.hidden = !hit;
      if (!sections.has(entry.section)) sections.set(entry.section, []);
      if (hit) sections.get(entry.section).push([rank, entry]);
      found += hit && entry.link !== null;
    }
    for (const section of document.querySelectorAll("main > section")) {
      const inside = sections.get(section) || [];
      section.hidden = words.length > 0 && inside.length === 0;
      inside.sort(([a, x], [b, y]) => a - b || x.place - y.place);
      // The best first, in the order of the Tab key too.
      for (const [, entry] of inside) section.append(entry.element);
      const listed = inside.filter(([, entry]) => entry.link).length;
      const index = document.querySelector(`[data-of="${section.id}"]`);
      if (index) index.hidden = words.length > 0 && listed === 0;
      for (const count of [section.querySelector("h2 .count"), index && index.querySelector(".count")]) {
        if (count && count.dataset.total) {
          count.textContent = words.length ? `${listed} of ${count.dataset.total}` : count.dataset.total;
        }
      }
    }
    for (const part of document.querySelectorAll(".intro, .picture")) part.hidden = words.length > 0;
    const total = entries.filter((entry) => entry.link).length;
    $("found").textContent = words.length
      ? `${counted(found, "entry", "entries")} of ${total}`
      : counted(total, "entry", "entries");
    const nothing = hits.length === 0;
    $("nothing").hidden = !nothing;
    $("tools").hidden = nothing;
    $("nothing").textContent = nothing ? `Nothing has all of “${text.trim()}” in it. Fewer or shorter words find more.` : "";
    mark(words);
  }

  function placeIn(run, at) {
    for (const node of run) {
      if (at <= node.data.length) return [node, at];
      at -= node.data.length;
    }
    return [run.at(-1), run.at(-1).data.length];
  }

  function mark(words) {
    if (!("highlights" in CSS)) return;
    CSS.highlights.delete("found");
    if (!words.length) return;
    const ranges = [];
    const runs = [];
    const walker = document.createTreeWalker($("contents"), NodeFilter.SHOW_TEXT, (node) =>
      node.parentElement.closest("[hidden], #nothing, details:not([open]) > .body, style")
        ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      // A name that may be broken is several texts, and one to whoever reads it.
      const goesOn = runs.length && node.previousSibling?.nodeName === "WBR";
      if (goesOn) runs.at(-1).push(node);
      else runs.push([node]);
    }
    for (const run of runs) {
      const text = run.map((node) => node.data).join("");
      const lower = text.toLowerCase();
      if (lower.length !== text.length) continue;
      for (const word of words) {
        for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + word.length)) {
          const range = new Range();
          range.setStart(...placeIn(run, at));
          range.setEnd(...placeIn(run, at + word.length));
          if (ranges.push(range) >= MARKS) break;
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  }

  function typed() {
    search(query.value);
    const hash = query.value.trim() ? PREFIX + encodeURIComponent(query.value.trim()) : "";
    // No entry in the history for every letter.
    history.replaceState(null, "", hash || location.pathname + location.search);
  }

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  function follow() {
    if (location.hash.startsWith(PREFIX)) {
      query.value = decoded(location.hash.slice(PREFIX.length));
      search(query.value);
      return;
    }
    const target = $(decoded(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) {
      query.value = "";
      search("");
    }
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
    }
    const own = target.querySelector(":scope > details");
    if (own) own.open = true;
    target.scrollIntoView();
  }

  function openAll(open) {
    for (const { element } of entries) {
      if (!element.hidden) element.firstElementChild.open = open;
    }
  }

  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      query.focus();
      query.select();
    } else if (event.key === "Escape" && (event.target === query || query.value)) {
      event.preventDefault();
      if (!query.value) query.blur();
      query.value = "";
      typed();
    }
  });
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    // The best hit of all sections.
    if (hits.length) {
      const details = hits[0].firstElementChild;
      details.open = true;
      details.firstElementChild.focus();
    }
  });
  query.addEventListener("input", typed);
  window.addEventListener("hashchange", follow);
  document.addEventListener("toggle", () => {
    const words = query.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) mark(words);
  }, true);
  $("open-all").addEventListener("click", () => openAll(true));
  $("close-all").addEventListener("click", () => openAll(false));
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open])")];
    for (const details of opened) details.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });

  $("search").hidden = false;
  // On a narrow screen the index would stand before everything else.
  if (matchMedia("(max-width: 60rem)").matches) {
    for (const details of document.querySelectorAll("#index details")) details.open = false;
  }
  search("");
  follow();
})();

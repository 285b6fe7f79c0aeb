// `script.rs` describes it.
"use strict";
(() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const main = document.getElementById("main");

  const relative = (at) => {
    const ago = Date.now() - Date.parse(at), minutes = Math.floor(Math.abs(ago) / 60_000);
    if (!(minutes < 1440)) return null;
    if (minutes < 1) return "just now";
    const [number, unit] = minutes < 60 ? [minutes, "minute"] : [Math.floor(minutes / 60), "hour"];
    const words = `${number} ${unit}${number === 1 ? "" : "s"}`;
    return ago < 0 ? `in ${words}` : `${words} ago`;
  };
  let times = [];
  setInterval(() => {
    for (const time of times) time.textContent = relative(time.dateTime) ?? time.textContent;
  }, 15_000);

  const begin = () => {
    times = all("time").filter((time) => relative(time.dateTime) === time.textContent);
    for (const hint of all("[data-renew], [data-position]")) hint.hidden = false;
    for (const button of all("[data-copy]")) button.hidden = !navigator.clipboard;
  };

  let used = Date.now();
  for (const kind of ["keydown", "pointerdown", "scroll"]) addEventListener(kind, () => { used = Date.now(); });
  const rests = () => document.hidden || main.contains(document.activeElement) || Date.now() - used > 300_000;
  const renew = async () => {
    if (!document.querySelector("[data-renew]") || rests()) return;
    const answer = await fetch(location.href, { redirect: "error" });
    if (!answer.ok || rests()) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    main.replaceChildren(...page.getElementById("main").childNodes);
    begin();
  };
  setInterval(() => renew().catch(() => {}), 10_000);

  const tags = (text) => {
    const entries = [...text.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,]*))\s*(?:,|$)/g)];
    const texts = entries.map(([, quoted, plain]) => (quoted?.replaceAll('""', '"') ?? plain).trim());
    return [...new Set(texts.filter(Boolean))];
  };
  const chip = (tag) => {
    const chip = document.createElement("span");
    chip.className = "tag";
    chip.textContent = tag;
    return [chip, " "];
  };
  addEventListener("input", ({ target }) => {
    if (!target.name?.endsWith("_groups")) return;
    const field = target.parentElement;
    const list = field.querySelector("p:not([class])") ?? field.appendChild(document.createElement("p"));
    list.replaceChildren(...tags(target.value).flatMap(chip));
  });

  const typed = ({ type, checked, defaultChecked, value, defaultValue = value }) =>
    ["checkbox", "radio"].includes(type) ? checked !== defaultChecked : value !== defaultValue;
  addEventListener("click", (event) => {
    const one = event.target.closest("[data-copy], [data-discard]");
    if (one?.dataset.copy !== undefined) {
      const text = one.previousElementSibling.textContent.trim();
      navigator.clipboard.writeText(text).then(() => { one.textContent = "Copied"; });
    } else if (one && [...one.closest("form").elements].some(typed) && !confirm("Discard what you typed?")) {
      event.preventDefault();
    }
  });

  addEventListener("pointerup", ({ target }) => {
    if (target.type === "range" && target.value !== target.defaultValue) target.form.requestSubmit();
  });

  document.addEventListener("selectionchange", () => {
    const editor = document.activeElement, place = editor.parentElement?.querySelector("[data-position]");
    if (!place || editor.tagName !== "TEXTAREA") return;
    const lines = editor.value.slice(0, editor.selectionStart).split("\n");
    place.textContent = `Line ${lines.length}, column ${lines.at(-1).length + 1}`;
  });

  addEventListener("keydown", (event) => {
    const field = document.getElementById("q"), types = event.target.closest("input, textarea, select");
    const asks = event.ctrlKey || event.metaKey ? event.key === "k" : event.key === "/" && !types && !event.altKey;
    if (!field || !asks) return;
    event.preventDefault();
    if (!field.checkVisibility()) document.getElementById("nav").showPopover();
    field.focus();
  });

  begin();
})();

// Filtering and links. Everything on the page can be read without this script.
// The state lives in the address: #FALSIFY-X-001?status=FAILED,STALE&ceiling=PARTIAL&q=loss
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const form = $("filter");
  const rows = [...document.querySelectorAll("details.row")].map((element) => ({
    element,
    id: element.querySelector(".body").id,
    status: element.dataset.status,
    ceiling: element.dataset.ceiling,
    contract: element.closest(".contract").dataset.contract,
    text: null,
  }));
  if (!form) return;
  document.documentElement.classList.add("js");
  const byId = new Map(rows.map((row) => [row.id, row]));
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const search = $("search");
  const contract = $("contract");
  let opened = "";

  // The words of a row are put together when they are first asked for.
  const textOf = (row) => {
    if (row.text === null) {
      const claim = row.element.querySelector(".claim");
      const summary = row.element.firstElementChild.textContent;
      row.text = `${summary} ${claim ? claim.textContent : ""} ${row.contract}`.toLowerCase();
    }
    return row.text;
  };

  const chosen = (name) => boxes.filter((b) => b.name === name && b.checked).map((b) => b.value);

  const address = () => {
    const pairs = [
      ["status", chosen("status").join(",")],
      ["ceiling", chosen("ceiling").join(",")],
      ["contract", contract.value],
      ["q", search.value.trim()],
    ].filter(([, value]) => value);
    const query = pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
    return `#${opened}${query ? `?${query}` : ""}`;
  };

  const remember = (asNew) => {
    const target = address();
    if (target === (location.hash || "#")) return;
    try {
      history[asNew ? "pushState" : "replaceState"](null, "", target);
    } catch {
      // A viewer that forbids history still filters.
    }
  };

  const show = () => {
    const status = new Set(chosen("status"));
    const ceiling = new Set(chosen("ceiling"));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const fits =
        (!status.size || status.has(row.status)) &&
        (!ceiling.size || ceiling.has(row.ceiling)) &&
        (!contract.value || contract.value === row.contract) &&
        words.every((word) => textOf(row).includes(word));
      row.element.hidden = !fits;
      count += fits;
    }
    for (const section of document.querySelectorAll(".contract")) {
      section.hidden = !section.querySelector("details.row:not([hidden])");
    }
    const all = count === rows.length;
    $("no-match").hidden = count > 0;
    $("clear").hidden = !address().includes("?");
    $("shown").textContent = all ? `${count} falsifiers` : `${count} of ${rows.length} falsifiers`;
  };

  const open = (id) => {
    if (opened && opened !== id && byId.has(opened)) byId.get(opened).element.open = false;
    opened = byId.has(id) ? id : "";
    if (opened) byId.get(opened).element.open = true;
  };

  const follow = (scroll) => {
    const [id, query = ""] = location.hash.slice(1).split("?");
    const wanted = new URLSearchParams(query);
    for (const box of boxes) {
      box.checked = (wanted.get(box.name) || "").split(",").includes(box.value);
    }
    contract.value = wanted.get("contract") || "";
    if (contract.selectedIndex < 0) contract.value = "";
    search.value = wanted.get("q") || "";
    const target = decode(id);
    const before = opened;
    open(target);
    show();
    if (!opened) return;
    const element = byId.get(opened).element;
    // A link that names a row shows it, whatever the filter says.
    element.hidden = false;
    element.closest(".contract").hidden = false;
    if (scroll && opened !== before) {
      element.scrollIntoView({ block: "start" });
      element.firstElementChild.focus({ preventScroll: true });
    }
  };

  const decode = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };

  const clear = () => {
    for (const box of boxes) box.checked = false;
    contract.value = "";
    search.value = "";
    show();
    remember(true);
  };

  document.addEventListener("click", (event) => {
    const summary = event.target.closest("summary");
    const row = summary && summary.parentElement;
    if (!row || !row.classList.contains("row")) return;
    // The browser toggles after this: `open` still says how it was.
    const id = row.querySelector(".body").id;
    if (!row.open) opened = id;
    else if (opened === id) opened = "";
    remember(true);
  });
  for (const box of boxes) {
    box.disabled = false;
    box.addEventListener("change", () => { show(); remember(true); });
  }
  contract.addEventListener("change", () => { show(); remember(true); });
  search.addEventListener("input", () => { show(); remember(false); });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("#clear, .clear")) {
    button.addEventListener("click", () => { clear(); search.focus(); });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.closest("input[type=search], select, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && (!typing || typing === search)) {
      event.preventDefault();
      clear();
    }
  });
  window.addEventListener("hashchange", () => follow(true));

  // Paper has nothing to click: all is open while it prints, and as it was afterwards.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const element of closed) element.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const element of closed) element.open = false;
  });
  follow(true);
})();

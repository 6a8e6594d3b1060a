"use strict";
(() => {
  const collator = new Intl.Collator(undefined, { numeric: true });
  const keyOf = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.key ?? cell.textContent.trim();
  };
  const compare = (a, b) => {
    const x = Number(a), y = Number(b);
    if (a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    return collator.compare(a, b);
  };
  const empty = (text) => text === "" || text === "-";

  function sort(table, at, button) {
    const head = button.parentElement, body = table.tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map((row) => [keyOf(row, at), row]);
    rows.sort(([a], [b]) => empty(a) - empty(b) || (down ? compare(b, a) : compare(a, b)));
    body.append(...rows.map(([, row]) => row));
  }

  function addSorting(table) {
    if (table.tBodies[0].rows.length < 2) return;
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, at, button));
    });
  }

  function addFilter(table) {
    const label = document.createElement("label"), input = document.createElement("input");
    const count = document.createElement("span");
    label.className = "filter";
    input.type = "search";
    input.placeholder = "filter";
    input.setAttribute("aria-label", "filter: " + table.caption.textContent);
    count.setAttribute("aria-live", "polite");
    label.append(input, count);
    table.closest(".scroll").before(label);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        left += !row.hidden;
      }
      count.textContent = words.length ? `${left} of ${table.tBodies[0].rows.length}` : "";
    });
  }

  function openTarget() {
    const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (found instanceof HTMLDetailsElement) {
      found.open = true;
      found.scrollIntoView({ block: "start" });
    }
  }

  const linked = () => [...document.querySelectorAll("tbody tr:not([hidden])")].filter((row) => row.querySelector("a[href^='#']"));

  function step(by) {
    const rows = linked();
    if (!rows.length) return;
    const now = rows.findIndex((row) => row.classList.contains("on"));
    const next = rows[now < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, now + by))];
    rows[now]?.classList.remove("on");
    next.classList.add("on");
    next.querySelector("a").focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  const help = document.getElementById("help");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
    else if (event.key === "?") help.open ? help.close() : help.showModal();
    else if (event.key === "/") {
      const row = document.querySelector("tr.on");
      const near = row?.closest(".scroll").previousElementSibling?.querySelector("input");
      const input = near ?? document.querySelector(".filter input");
      if (!input) return;
      event.preventDefault();
      input.focus();
    }
  });
  document.querySelectorAll("table[data-sort]").forEach(addSorting);
  document.querySelectorAll("table[data-filter]").forEach(addFilter);
  window.addEventListener("hashchange", openTarget);
  openTarget();
})();

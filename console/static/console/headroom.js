/* Headroom in the browser: keyboard, theme, live parts, time, copying. Everything works without it,
   only less comfortably. No inline handlers, no eval: the Content-Security-Policy forbids both. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* ---- time: fresh ages, and local time beside UTC ---- */
  const ageOf = (seconds) => {
    const size = Math.abs(seconds);
    if (size < 5) return "now";
    const text =
      size < 60 ? `${Math.floor(size)} s`
      : size < 3600 ? `${Math.floor(size / 60)} min`
      : size < 86400 ? `${Math.floor(size / 3600)} h`
      : `${Math.floor(size / 86400)} d`;
    return seconds > 0 ? `${text} ago` : `in ${text}`;
  };
  const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const freshen = (root = document) => {
    const now = Date.now();
    for (const element of $$("time[datetime]:not([data-fixed])", root)) {
      const at = Date.parse(element.dateTime);
      if (Number.isNaN(at)) continue;
      const text = ageOf((now - at) / 1000);
      if (element.textContent !== text) element.textContent = text;
    }
  };
  document.addEventListener("pointerover", (event) => {
    const element = event.target.closest?.("time[datetime]");
    if (!element || element.dataset.local) return;
    element.dataset.local = "1";
    element.title = `${element.title} · ${clock.format(new Date(element.dateTime))} here`;
  });
  setInterval(() => document.hidden || freshen(), 10000);

  /* ---- theme: auto → light → dark, kept in a cookie so that the server draws it at once ---- */
  const THEMES = ["auto", "light", "dark"];
  $("#theme")?.addEventListener("click", (event) => {
    const button = event.currentTarget;
    const next = THEMES[(THEMES.indexOf(button.dataset.themeNow) + 1) % THEMES.length];
    button.dataset.themeNow = next;
    button.title = `Theme: ${next}`;
    button.setAttribute("aria-label", button.title);
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    document.cookie = `theme=${next};path=/;max-age=31536000;samesite=lax`;
    toast(button.title);
  });

  /* ---- toasts ---- */
  const toast = (text, tone = "") => {
    const box = $("#toasts");
    if (!box) return;
    const note = document.createElement("div");
    note.className = `note ${tone}`;
    const words = document.createElement("p");
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "button quiet icon-only small";
    close.setAttribute("aria-label", "Dismiss");
    close.textContent = "×";
    close.addEventListener("click", () => note.remove());
    note.append(words, close);
    box.replaceChildren(...[...box.children].slice(-2), note);
    if (tone !== "bad") setTimeout(() => note.remove(), 4000);
  };

  /* ---- copying ---- */
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-link]");
    if (!button) return;
    const link = button.dataset.copyLink;
    try {
      await navigator.clipboard.writeText(link ? new URL(link, location.href).href : button.dataset.copy);
      button.classList.add("copied");
      setTimeout(() => button.classList.remove("copied"), 1500);
    } catch {
      getSelection().selectAllChildren(button);
      toast("The browser does not let pages copy here: the text is selected, press Ctrl+C.", "warn");
    }
  });

  /* ---- dialogs, menus ---- */
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
    for (const menu of $$("details.me[open]")) {
      if (opener || !menu.contains(event.target)) menu.open = false;
    }
    if (event.target.matches?.("dialog[open]")) event.target.close();
  });
  $(".menu-toggle")?.addEventListener("click", (event) => {
    const open = $("#rail").classList.toggle("is-open");
    event.currentTarget.setAttribute("aria-expanded", String(open));
  });

  /* ---- keyboard ---- */
  const typing = (element) => element.matches?.("input, select, textarea, [contenteditable]");
  const rows = () => $$("table.rows tbody tr").filter((row) => $("a", row) && row.offsetParent);
  let current = null;
  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(current);
    current?.classList.remove("is-current");
    current = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    current.classList.add("is-current");
    current.scrollIntoView({ block: "nearest" });
    ($("a.row", current) || $("a", current)).focus({ preventScroll: true });
  };
  let going = 0;
  const actions = {
    "/": () => ($("[data-slash]") || $("#search"))?.select(),
    "?": () => $("#keys")?.showModal(),
    j: () => step(1),
    k: () => step(-1),
    g: () => { going = Date.now(); },
  };
  const escape = (event) => {
    if (typing(event.target)) event.target.blur();
    const results = $("#search-results");
    if (results) results.replaceChildren();
    for (const menu of $$("details.me[open]")) menu.open = false;
    if ($("#rail.is-open")) $(".menu-toggle").click();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return escape(event);
    if (event.target.id === "search" && event.key === "ArrowDown") {
      const first = $("#search-results a");
      if (first) { event.preventDefault(); first.focus(); }
      return;
    }
    const hit = event.target.closest?.("#search-results");
    if (hit && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const links = $$("a", hit);
      const next = links[links.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
      (next || $("#search")).focus();
      return;
    }
    if (typing(event.target) || $("dialog[open]")) return;
    if (going && Date.now() - going < 1200) {
      going = 0;
      const link = $(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); return; }
    }
    const action = actions[event.key];
    if (action) { event.preventDefault(); action(); }
  });

  /* ---- live parts (htmx) ---- */
  const polls = (element) => (element.getAttribute?.("hx-trigger") || "").includes("every");
  const skipped = new Set();
  const connection = (lost) => {
    const notice = $("#offline");
    if (notice) notice.hidden = !lost;
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (!document.hidden || !polls(element) || !element.dataset.loaded) return;
    event.preventDefault();
    skipped.add(element);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    freshen();
    for (const element of skipped) {
      if (element.isConnected) htmx.ajax("GET", element.getAttribute("hx-get"), { source: element });
    }
    skipped.clear();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, target, xhr } = event.detail;
    if (!polls(elt) || xhr.status !== 200) return;
    /* The same answer again moves nothing; neither does one that would close what is being read. */
    const same = target.dataset.loaded && target.answer === xhr.responseText;
    const busy = target.querySelector("details[open], input:checked, :focus:is(input, select, textarea)");
    if (same || (busy && elt.dataset.loaded && elt === target)) event.detail.shouldSwap = false;
    else target.answer = xhr.responseText;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    freshen(event.detail.target);
    /* A page worth leaving open says in its title how far it is. */
    const title = event.detail.target.querySelector("[data-title]")?.dataset.title;
    if (title) document.title = document.title.replace(/^.*(?= · )/, title);
    current = null;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, successful } = event.detail;
    if (!successful) return;
    elt.dataset.loaded = "1";
    elt.classList.remove("is-stale");
    connection(false);
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => {
      connection(true);
      if (polls(event.detail.elt)) event.detail.elt.classList.add("is-stale");
    });
  }
  document.addEventListener("htmx:responseError", (event) => {
    const { elt, xhr } = event.detail;
    if (elt.matches("[hx-trigger*=load]")) return failedPanel(elt, xhr.status);
    const answer = new DOMParser().parseFromString(xhr.responseText, "text/html");
    const words = $("[data-problem]", answer)?.textContent.trim().replace(/\s+/g, " ");
    toast(words || `The server answered ${xhr.status}. Nothing was changed by this page.`, "bad");
  });
  const failedPanel = (element, status) => {
    if (element.dataset.loaded) return element.classList.add("is-stale");
    const words = document.createElement("p");
    words.className = "muted pad";
    words.textContent = `This part could not be loaded (${status}); the rest of the page still works.`;
    if (!element.closest(".dots")) element.replaceChildren(words);
  };
  window.addEventListener("offline", () => connection(true));
  window.addEventListener("online", () => connection(false));

  /* ---- small helps on forms: [data-confirm-text] enables the button when the name is typed ---- */
  const confirmable = (field) => {
    const button = field.form?.querySelector("[data-confirmed]");
    const typed = (text) => text.replace(/\s+/g, "");
    if (button) button.disabled = typed(field.value) !== typed(field.dataset.confirmText);
  };
  document.addEventListener("input", (event) => {
    if (event.target.dataset?.confirmText !== undefined) confirmable(event.target);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.matches("[hx-post], [hx-put]")) return;
    const button = event.submitter;
    if (button) setTimeout(() => { button.disabled = true; }, 0);
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const button of $$("form button:disabled")) button.disabled = false;
    for (const field of $$("[data-confirm-text]")) confirmable(field);
  });
  /* ---- what is folded on small screens: open without JavaScript, closed with it ---- */
  if (matchMedia("(max-width: 1100px)").matches) for (const fold of $$("details[data-fold]")) fold.open = false;

  /* ---- what scrolls sideways can be reached by Tab and scrolled by the arrow keys ---- */
  const reachable = () => {
    for (const box of $$(".panel, .scroll, pre")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  let resized = 0;
  window.addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(reachable, 200);
  });
  document.addEventListener("htmx:afterSettle", reachable);
  reachable();
  freshen();
})();

/* Rows of a form: added and removed without asking the server. Without this, the same buttons do. */
(() => {
  "use strict";
  const offers = () => new Map(
    [...document.querySelectorAll("#limit-keys option")].map((option) => [option.value, option]),
  );
  const known = offers();

  const explain = (field) => {
    const row = field.closest("[data-row]");
    const help = row?.querySelector("[data-limit-help]");
    const offer = known.get(field.value.trim());
    if (!help) return;
    help.textContent = offer ? `${offer.label.replace(/^[^:]+: /, "")} – ${offer.dataset.help}` : "";
    const value = row.querySelector("[name=limit-value]");
    if (value) value.placeholder = offer ? offer.dataset.example : "";
  };

  document.addEventListener("click", (event) => {
    const add = event.target.closest("[data-add-row]");
    if (add) {
      const name = add.dataset.addRow;
      const list = document.querySelector(`[data-rows="${name}"]`);
      const blank = document.querySelector(`[data-rows-blank="${name}"]`);
      if (!list || !blank) return;
      event.preventDefault();
      list.append(blank.content.cloneNode(true));
      list.lastElementChild.querySelector("input, select").focus();
      return;
    }
    const remove = event.target.closest("[data-remove-row]");
    if (!remove) return;
    event.preventDefault();
    const row = remove.closest("[data-row]");
    const next = row.nextElementSibling || row.previousElementSibling;
    row.remove();
    (next?.querySelector("input, select") || document.querySelector("[data-add-row]"))?.focus();
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-limit-key]")) explain(event.target);
  });
})();

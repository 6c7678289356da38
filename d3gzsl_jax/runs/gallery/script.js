"use strict";
// Chooses and orders the cards of a gallery; without it the page shows all of them, least sure first.
(() => {
  const list = document.getElementById("cards"), cards = [...list.children];
  const form = document.getElementById("choose"), count = document.getElementById("count");
  const none = document.getElementById("none"), collator = new Intl.Collator(undefined, { numeric: true });
  const file = new Map(cards.map((card) => [card, card.querySelector(".file").textContent]));
  const lower = new Map(cards.map((card) => [card, file.get(card).toLowerCase()]));
  const sure = (card) => Number(card.dataset.sure);
  const orders = {
    doubt: (a, b) => sure(a) - sure(b),
    sure: (a, b) => sure(b) - sure(a),
    wrong: (a, b) => b.dataset.wrong - a.dataset.wrong || sure(b) - sure(a),
    file: (a, b) => collator.compare(file.get(a), file.get(b)),
    name: (a, b) => collator.compare(a.dataset.name, b.dataset.name) || sure(a) - sure(b),
    row: (a, b) => a.dataset.row - b.dataset.row,
  };
  let ordered = "doubt";

  function apply() {
    const of = form.elements, wanted = of.search.value.trim().toLowerCase();
    const kind = of.kind.value, predicted = of.predicted.value, truth = of.truth ? of.truth.value : "";
    const right = of.right ? of.right.value : "";
    let shown = 0;
    for (const card of cards) {
      const data = card.dataset;
      const fits = (!wanted || lower.get(card).includes(wanted)) && (!kind || data.kind === kind)
        && (!predicted || data.predicted === predicted) && (!truth || data.truth === truth)
        && (!right || (data.truth !== "" && data.wrong === (right === "wrong" ? "1" : "0")));
      card.hidden = !fits;
      shown += fits;
    }
    if (of.order.value !== ordered) {
      ordered = of.order.value;
      list.append(...cards.sort(orders[ordered]));
    }
    count.textContent = `${shown} of ${cards.length} shown`;
    none.hidden = shown > 0;
  }

  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
})();

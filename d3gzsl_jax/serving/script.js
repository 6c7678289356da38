"use strict";
// Sends pictures one after another and shows what comes back; sends a new class, and asks again for the pictures that are shown.
(() => {
  const at = (id) => document.getElementById(id);
  const cards = at("cards"), waiting = [];
  let working = false;

  async function ask(address, options) {
    let answer;
    try {
      answer = await fetch(address, options);
    } catch {
      throw new Error("the server does not answer; it may have been stopped");
    }
    const found = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
    if (!answer.ok) throw new Error(found.error || `the server answered ${answer.status}`);
    return found;
  }

  function make(tag, className, text) {
    const found = document.createElement(tag);
    if (className) found.className = className;
    if (text !== undefined) found.textContent = text;
    return found;
  }

  function percent(value) {
    const text = value < 0.005 ? "< 1" : value > 0.995 && value < 1 ? "> 99" : `${Math.round(100 * value)}`;
    return `${text} %`.replaceAll(" ", "\u00a0");
  }

  function badge(kind) {
    return make("span", `badge ${kind}`, kind);
  }

  function newCard(file) {
    const card = make("li", "card waiting"), image = make("img");
    image.alt = "";
    image.src = URL.createObjectURL(file);
    card.append(image, make("div", "answers"), make("p", "file", file.name));
    cards.prepend(card);
    return { card, image, file };
  }

  function show(entry, found) {
    const { card, image } = entry, answers = card.querySelector(".answers");
    if (found.thumbnail) {
      URL.revokeObjectURL(image.src);
      image.src = found.thumbnail;
      image.classList.toggle("tiny", found.is_tiny);
    }
    const answer = make("p", "answer", `${found.best[0].name} `), list = make("ol", "best");
    answer.append(badge(found.best[0].kind));
    for (const one of found.best) {
      const item = make("li", one.kind), name = make("span", "name", one.name), bar = make("progress");
      name.title = one.name;
      bar.max = 1;
      bar.value = one.probability;
      item.append(name, make("span", "", percent(one.probability)), bar);
      list.append(item);
    }
    answers.replaceChildren(answer, list);
    answers.append(make("p", "", `All seen classes together: ${percent(found.seen_probability)}.`));
    if (found.words) {
      const text = `It ${found.words}: the teacher is ${percent(found.in_distribution)} sure of one of them.`;
      answers.append(make("p", "words", text));
    }
    card.classList.remove("waiting");
  }

  async function work() {
    if (working) return;
    working = true;
    while (waiting.length) {
      const entry = waiting.shift();
      try {
        const address = `/predict?name=${encodeURIComponent(entry.file.name.slice(0, 200))}`;
        const type = entry.file.type || "application/octet-stream";
        show(entry, await ask(address, { method: "POST", body: entry.file, headers: { "Content-Type": type } }));
      } catch (error) {
        entry.card.classList.remove("waiting");
        entry.card.querySelector(".answers").replaceChildren(make("p", "error", error.message));
        entry.image.hidden = true;
        entry.failed = true;
      }
    }
    working = false;
  }

  const shown = [];
  function take(files) {
    at("picture-error").textContent = "";
    const largest = Number(at("drop").dataset.largest);
    for (const file of files) {
      if (file.size > largest) {
        at("picture-error").textContent = `${file.name}: is larger than ${Math.round(largest / 2 ** 20)} MiB; make it smaller`;
        continue;
      }
      if (file.type && !file.type.startsWith("image/")) {
        at("picture-error").textContent = `${file.name}: is no picture`;
        continue;
      }
      const entry = newCard(file);
      shown.push(entry);
      waiting.push(entry);
    }
    work();
  }

  function know(state) {
    at("count").textContent = state.classes.length;
    at("classes").replaceChildren(...state.classes.map((one) => {
      const item = make("li", "", `${one.name} `);
      item.append(badge(one.kind));
      return item;
    }));
    at("keeping").hidden = !state.added;
    const many = state.added > 1 ? "The new classes live" : "The new class lives";
    const until = state.unsaved ? " until the server stops" : " in the saved model";
    const how = state.unsaved && !state.save ? "; start it with --save=FOLDER to keep what joins." : ".";
    const other = state.predictor === state.began_with ? "" : " The final classifier predicts now: the student knows no new classes.";
    at("lives").textContent = many + until + how + other;
  }

  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      at("drop").classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) at("drop").classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    at("drop").classList.remove("over");
    take(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
  at("pictures").addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = "";
  });

  at("new").addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = at("name").value, description = at("description").value;
    at("class-error").textContent = "";
    at("add").disabled = true;
    at("adding").textContent = "learning it … (the first one takes longest)";
    try {
      const options = { method: "POST", headers: { "Content-Type": "application/json" } };
      const state = await ask("/classes", { ...options, body: JSON.stringify({ name, description }) });
      know(state);
      at("name").value = at("description").value = "";
      at("adding").textContent = `${name.trim()} has joined.${state.note ? ` Note: ${state.note}.` : ""}`;
      const again = shown.filter((entry) => !entry.failed && !waiting.includes(entry));
      for (const entry of again) entry.card.classList.add("waiting");
      waiting.push(...again);
      work();
    } catch (error) {
      at("adding").textContent = "";
      at("class-error").textContent = error.message;
    }
    at("add").disabled = false;
  });

  at("save").addEventListener("click", async () => {
    at("save-error").textContent = "";
    at("saved").textContent = "saving …";
    try {
      at("saved").textContent = `Saved to ${(await ask("/save", { method: "POST" })).saved}.`;
      know(await ask("/state"));
    } catch (error) {
      at("saved").textContent = "";
      at("save-error").textContent = error.message;
    }
  });

  ask("/state").then(know, (error) => { at("picture-error").textContent = error.message; });
})();

// Makes the page live: answers without leaving it, ages that go on, and new packets as they come.
// Everything it shows was written, and escaped, by the server; without it the page does the same on each visit.
"use strict";
(() => {
  const form = document.querySelector("form");
  const input = document.querySelector("#key");
  const button = document.querySelector("button");
  let events = null;
  let asking = null;

  const span = (seconds) => {
    const units = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
    const [length, name] = units.find(([length]) => seconds >= length) ?? [1, "second"];
    const count = Math.floor(seconds / length);
    return `${count} ${name}${count === 1 ? "" : "s"}`;
  };

  const tick = () => {
    for (const time of document.querySelectorAll("main time")) {
      const seconds = Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000);
      const ahead = seconds <= -60 ? `in ${span(-seconds)}, by this clock` : "just now";
      time.textContent = seconds < 1 ? ahead : `${span(seconds)} ago`;
      time.title = new Date(time.dateTime).toLocaleString();
    }
  };

  const watch = () => {
    events?.close();
    events = null;
    const packet = document.querySelector(".packet");
    if (!packet || !window.EventSource) return;
    const { key, timestamp } = packet.dataset;
    events = new EventSource(`watch?key=${encodeURIComponent(key)}`);
    const live = document.createElement("p");
    live.className = "live";
    live.textContent = "Live: a new packet shows up here by itself.";
    events.onopen = () => packet.append(live);
    events.onerror = () => live.remove();
    events.addEventListener("packet", (event) => {
      // Microseconds since 1970 are below 2^53 until the year 2255.
      if (JSON.parse(event.data).timestamp > Number(timestamp)) show(key);
    });
  };

  const show = async (asked) => {
    asking?.abort();
    asking = new AbortController();
    button.disabled = true;
    try {
      const answer = await fetch(`./?key=${encodeURIComponent(asked)}`, { signal: asking.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelector("main").replaceWith(page.querySelector("main"));
      document.querySelector("footer").replaceWith(page.querySelector("footer"));
      tick();
      watch();
    } catch (error) {
      // Whoever asked again does not wait for the first answer; anything else is the browser's to tell.
      if (error.name !== "AbortError") location.search = `?key=${encodeURIComponent(asked)}`;
      return;
    }
    button.disabled = false;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const asked = input.value.trim();
    history.pushState(null, "", `./?key=${encodeURIComponent(asked)}`);
    show(asked);
  });
  addEventListener("popstate", () => location.reload());
  setInterval(tick, 1000);
  tick();
  watch();
})();

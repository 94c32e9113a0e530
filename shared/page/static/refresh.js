// Renews the live part of the page every two seconds, unless told to stop or nobody looks.
const box = document.getElementById("refresh");
const note = document.getElementById("refresh-note");

// What is on the page was true once: its green dot is not true any more.
function markAsOld(live) {
  if (live.dataset.gone) return;
  live.dataset.gone = "yes";
  const dot = live.querySelector(".dot");
  dot.className = "dot bad";
  dot.nextSibling.textContent = `Not answering; last: ${dot.nextSibling.textContent.trim()} `;
  const answer = live.querySelector(".answer");
  answer.className = "answer warn";
  answer.textContent = `${note.dataset.unreachable} What follows was so when it last did.`;
}

async function refresh() {
  if (!box.checked || document.hidden) return;
  try {
    const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(5000) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const old = document.getElementById("live");
    const fresh = page.getElementById("live");
    if (!fresh) throw new Error("an error page, or another program at this port");
    if (!box.checked) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceWith(fresh);
    if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    note.textContent = "";
  } catch {
    markAsOld(document.getElementById("live"));
    note.textContent = note.dataset.unreachable;
  }
}

box.parentElement.hidden = false;
setInterval(refresh, 2000);

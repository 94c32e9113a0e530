// Renews the live part of the page every two seconds, unless told to stop or nobody looks.
const box = document.getElementById("refresh");
const note = document.getElementById("refresh-note");

async function refresh() {
  if (!box.checked || document.hidden) return;
  try {
    const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(5000) });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!box.checked) return;
    document.getElementById("live").replaceWith(fresh.getElementById("live"));
    note.textContent = "";
  } catch {
    // What is on the page was true once: its green dot is not true any more.
    const dot = document.querySelector("#live .dot");
    if (dot) {
      dot.className = "dot bad";
      dot.nextSibling.textContent = "Not answering ";
    }
    note.textContent = note.dataset.unreachable;
  }
}

box.parentElement.hidden = false;
setInterval(refresh, 2000);

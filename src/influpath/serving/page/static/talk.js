// Talking to the service, and to whoever sits in front.
export const ROOT = document.documentElement.dataset.root;
const FLASH = "influpath-flash";

/** Send JSON; returns the answer, or throws an Error with the one sentence of the problem. */
export async function send(method, path, body, signal) {
  const headers = { "X-Influpath": "page", Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(ROOT + path, {
      method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    throw new Error("The service does not answer; try again in a moment.");
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    // Said below.
  }
  if (!response.ok) {
    throw new Error(answer?.detail ?? `The service answered with status ${response.status}; try again.`);
  }
  return answer;
}

/** Fetch a part of a page, as a document; what is wrong is thrown as one sentence. */
export async function part(path, signal) {
  let response;
  try {
    response = await fetch(ROOT + path, { headers: { "X-Influpath": "page" }, signal });
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    throw new Error("The service does not answer; try again in a moment.");
  }
  const found = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!response.ok) {
    const problem = found.querySelector(".problem")?.textContent;
    throw new Error(problem ?? `The service answered with status ${response.status}; try again.`);
  }
  return found;
}

let hiding;

/** Show a message, which screen readers read out; they read `more` besides. */
export function say(text, more = "") {
  const status = document.getElementById("status");
  const unseen = document.createElement("span");
  unseen.className = "hidden";
  unseen.textContent = more;
  status.replaceChildren(text, ...(more ? [" ", unseen] : []));
  clearTimeout(hiding);
  hiding = setTimeout(() => (status.textContent = ""), 4000 + 60 * text.length);
}

/** Keep a message for the page that comes next. */
export function flash(text) {
  try {
    sessionStorage.setItem(FLASH, text);
  } catch {
    // Then it is not said.
  }
}

/** Return the message that was kept, once. */
export function said() {
  try {
    const text = sessionStorage.getItem(FLASH);
    sessionStorage.removeItem(FLASH);
    return text;
  } catch {
    return null;
  }
}

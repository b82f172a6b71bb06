// Sending a file, with its progress, which fetch does not tell.

import { Refused, Unreachable, keyIsRefused } from "./api.js";

/** Whether an answer is a receipt: also one of which every reading was rejected is. */
const isReceipt = (body) => typeof body?.received === "number";

function read(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return null;
  }
}

/**
 * Send a file to a path; progress(share) is called while it is sent. Returns the receipt. Throws Refused, Unreachable, or
 * AbortError once the signal says so.
 */
export function upload(path, file, signal, progress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => progress(total ? loaded / total : 1);
    request.upload.onload = () => progress(1);
    request.onload = () => {
      const body = read(request);
      if (request.status === 401) keyIsRefused();
      if (isReceipt(body)) done(body);
      else fail(new Refused(request.status, body));
    };
    request.onerror = () => fail(new Unreachable());
    request.onabort = () => fail(new DOMException("It was stopped.", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

// Files that are dragged over the page, whatever it shows, and dropped.

const hasFiles = ({ dataTransfer }) => [...(dataTransfer?.types ?? [])].includes("Files");

/** Have over(whether) called as files come and go, and take(files) once they are dropped; where may() says so. */
export function acceptFiles(may, over, take) {
  let depth = 0; // of elements under what is dragged: leaving one enters another

  function change(by) {
    const was = depth > 0;
    depth = Math.max(0, depth + by);
    if (depth > 0 !== was) over(depth > 0);
  }

  addEventListener("dragenter", (event) => hasFiles(event) && may() && change(1));
  addEventListener("dragleave", (event) => hasFiles(event) && may() && change(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault()); // or the browser would open the file
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (!may()) return;
    change(-Infinity);
    take([...event.dataTransfer.files]);
  });
}

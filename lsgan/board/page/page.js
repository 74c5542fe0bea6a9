"use strict";
// What belongs to the page as a whole: dark or light, remembered where the browser lets a file remember.
{
  const root = document.documentElement;
  const remembered = (write) => {
    try {
      return write === undefined ? localStorage.getItem("lsgan-theme") : localStorage.setItem("lsgan-theme", write);
    } catch {
      return null;
    }
  };
  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const theme = remembered();
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered(root.dataset.theme);
  });

  const going = board.runs.filter((run) => run.status === "running").length;
  if (going) {
    document.getElementById("facts").append(
      ` · ${going} still trained: `,
      board.html("button", { type: "button", onclick: () => location.reload() }, "Reload"),
      " shows what the command has written since",
    );
  }
}

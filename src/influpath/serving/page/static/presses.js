// Listens from before the first button is there: what is pressed while the modules still load is not lost.
(() => {
  const page = () => import("./page.js");
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-method]");
    if (button) (await page()).pressed(button);
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.shape) return;
    event.preventDefault();
    (await page()).submitted(form);
  });
})();

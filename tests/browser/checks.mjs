// What a step expects, and what it looks like.

/** Ends everything where it does not hold. */
export const check = (holds, what) => {
  if (holds) return;
  process.stdout.write(`${JSON.stringify({ broken: what })}\n`);
  process.exit(1);
};

/** Keeps what a window shows, where somebody wants to see it. */
export const looks = async (page, folder, name) => {
  if (!folder) return;
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${folder}/${name}.png`, animations: "disabled" });
};

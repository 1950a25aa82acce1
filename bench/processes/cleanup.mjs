/** What was started and has to be ended, last first: at the end of the work, when it fails, on Ctrl-C. */
export class CleanUp {
  #steps = [];
  #isOver = false;
  #ending;

  /**
   * @param {() => Promise<void> | void} end in good order
   * @param {() => void} [kill] at once, when this process exits in the middle of it all
   * @throws {Error} when all was ended meanwhile, as a Ctrl-C does: then this is killed as well
   */
  add(end, kill = () => undefined) {
    if (this.#isOver) {
      kill();
      throw new Error('it was interrupted');
    }
    this.#steps.push({ end, kill });
  }

  /** Runs `work` with a clean-up of its own, which is done when it has ended, well or not. */
  async within(work) {
    const inner = new CleanUp();
    const step = { end: () => inner.run(), kill: () => inner.kill() };
    this.#steps.push(step);
    try {
      return await work(inner);
    } finally {
      await inner.run();
      this.#steps = this.#steps.filter((other) => other !== step);
    }
  }

  /** Ends everything; who asks again, as the end of the work does after a Ctrl-C, waits for the same end. */
  run() {
    this.#isOver = true;
    this.#ending ??= this.#endAll();
    return this.#ending;
  }

  kill() {
    this.#isOver = true;
    for (const { kill } of this.#steps.splice(0).reverse()) kill();
  }

  async #endAll() {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) await step.end();
  }
}

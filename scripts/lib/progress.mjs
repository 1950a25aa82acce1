import { performance } from 'node:perf_hooks';

const LINE_EVERY_SECONDS = 15;

/**
 * Shows that something is going on, and for how long: in place on a terminal, else in a line now and then.
 *
 * @returns {{ done(): void, failed(): void }}
 */
export function progress(title) {
  const started = performance.now();
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
  const isTerminal = process.stdout.isTTY === true;
  process.stdout.write(`${title} …${isTerminal ? '' : '\n'}`);
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
    if (isTerminal) process.stdout.write(`\r${title} … ${ticks} s`);
    else if (ticks % LINE_EVERY_SECONDS === 0) process.stdout.write(`${title} … ${ticks} s\n`);
  }, 1000);
  timer.unref();
  const end = (word) => () => {
    clearInterval(timer);
    process.stdout.write(`${isTerminal ? '\r' : ''}${title}: ${word}, ${seconds()} s\n`);
  };
  return { done: end('done'), failed: end('failed') };
}

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { settlesWithin } from '../../dist/cluster/poll.js';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;

/** A process of the bench's own, which is asked to do things and answers (`answering.mjs` is its side). */
export class Program {
  #child;
  #waiting = new Map();
  #last = 0;
  #ended;

  /** @param {{ name: string, file: URL, options: unknown }} what */
  constructor({ name, file, options }) {
    this.name = name;
    this.#child = fork(fileURLToPath(file), [JSON.stringify({ ...options, name })], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#ended = new Promise((settle) => this.#child.once('exit', settle).once('error', settle));
    this.ready = this.#answerOf('ready', START_TIMEOUT_MS);
    this.#child.on('message', ({ ready, id, result, error }) => {
      const waiting = this.#waiting.get(ready === true ? 'ready' : id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(`${this.name}: ${error}`));
    });
    void this.#ended.then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${this.name} has ended`));
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /** @returns {Promise<any>} what the method returned; rejects when it threw, ended or takes longer than `timeoutMs` */
  ask(method, argument, timeoutMs = 30_000) {
    const id = ++this.#last;
    const answer = this.#answerOf(id, timeoutMs);
    this.#child.send({ id, method, argument }, () => undefined);
    return answer;
  }

  /** Lets go of it, upon which it ends; kills it when it does not. */
  async stop() {
    if (this.#child.connected) this.#child.disconnect();
    if (!(await settlesWithin(this.#ended, STOP_TIMEOUT_MS))) this.kill();
    await this.#ended;
  }

  kill() {
    this.#child.kill('SIGKILL');
  }

  #answerOf(id, timeoutMs) {
    const answer = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name} did not answer in ${timeoutMs} ms`)), timeoutMs);
      const settled = (settle) => (value) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        settle(value);
      };
      this.#waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
    });
    answer.catch(() => undefined); // whoever asked hears of it; nobody may have asked yet
    return answer;
  }
}

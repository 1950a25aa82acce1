import { connect } from 'node:net';

const HEADER_END = Buffer.from('\r\n\r\n');

/**
 * One keep-alive connection that sends a POST and waits for its answer, over and over. Written out on a socket: what the load
 * costs is missing on the cores that it shares with what is measured, and an HTTP library costs several times as much.
 */
export class HttpConnection {
  #socket;
  #head;
  #received = Buffer.alloc(0);
  #settle;

  /** @param {URL} url where everything is posted to */
  constructor(url) {
    this.#head = `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\ncontent-length: `;
    this.#socket = connect(Number(url.port), url.hostname).setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#onData(chunk));
    this.#socket.on('error', () => undefined).on('close', () => this.#end({ status: 0, hasRetryAfter: false }));
  }

  get isOpen() {
    return !this.#socket.destroyed;
  }

  /** @returns {Promise<{ status: number, hasRetryAfter: boolean }>} status 0 when the connection broke */
  post(body) {
    return new Promise((settle) => {
      this.#settle = settle;
      this.#socket.write(`${this.#head}${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
  }

  close() {
    this.#socket.destroy();
  }

  #onData(chunk) {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf(HEADER_END);
    if (end < 0) return;
    const head = this.#received.latin1Slice(0, end).toLowerCase();
    const length = Number(/\r\ncontent-length: *(\d+)/.exec(head)?.[1] ?? Number.NaN);
    if (Number.isNaN(length)) this.#socket.destroy(new Error('an answer without content-length'));
    if (this.#received.length < end + HEADER_END.length + length) return;
    this.#received = Buffer.alloc(0);
    if (/\r\nconnection: *close/.test(head)) this.#socket.destroy();
    this.#end({ status: Number(head.slice(9, 12)), hasRetryAfter: head.includes('\r\nretry-after:') });
  }

  #end(answer) {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(answer);
  }
}

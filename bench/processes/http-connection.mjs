import { connect } from 'node:net';

const HEADER_END = Buffer.from('\r\n\r\n');
const ROOM_BYTES = 64 * 1024;
/** What is read goes here, for every connection: each looks at it at once, and copies what it cannot use yet. */
const room = Buffer.allocUnsafeSlow(ROOM_BYTES);
const nothing = Buffer.alloc(0);

/** A POST with JSON as its bytes go over the wire, to be made once and sent often. */
export function postOf(url, json) {
  const body = Buffer.from(json);
  const { pathname, host } = new URL(url);
  const head = `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/**
 * One keep-alive connection that sends a request and waits for its answer, over and over. Written out on a socket, without a promise for each
 * request: what the load costs is missing on the cores that it shares with what is measured, and an HTTP library costs several times as much.
 */
export class HttpConnection {
  #socket;
  #received = nothing;
  #settle;

  /** @param {URL} url where requests are sent to */
  constructor(url) {
    const onread = { buffer: room, callback: (bytes) => this.#onData(room.subarray(0, bytes)) };
    this.#socket = connect({ port: Number(url.port), host: url.hostname, noDelay: true, onread });
    this.#socket.on('error', () => undefined).on('close', () => this.#end({ status: 0, hasRetryAfter: false }));
  }

  get isOpen() {
    return !this.#socket.destroyed;
  }

  /**
   * @param {Buffer} request see `postOf`
   * @param {(answer: { status: number, hasRetryAfter: boolean }) => void} settle status 0 when the connection broke
   */
  send(request, settle) {
    this.#settle = settle;
    this.#socket.write(request);
  }

  close() {
    this.#socket.destroy();
  }

  #onData(chunk) {
    const received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = received.indexOf(HEADER_END);
    const head = end < 0 ? '' : received.latin1Slice(0, end);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN);
    if (end >= 0 && Number.isNaN(length)) this.#socket.destroy(new Error('an answer without content-length'));
    if (end < 0 || received.length < end + HEADER_END.length + length) {
      this.#received = Buffer.from(received);
      return;
    }
    this.#received = nothing;
    if (/\r\nconnection: *close/i.test(head)) this.#socket.destroy();
    this.#end({ status: Number(head.slice(9, 12)), hasRetryAfter: /\r\nretry-after:/i.test(head) });
  }

  #end(answer) {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(answer);
  }
}

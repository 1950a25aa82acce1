import { connect } from 'node:net';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 };
const FLAG = { endStream: 1, ack: 1, endHeaders: 4 };
const SETTING = { headerTableSize: 1, enablePush: 2, initialWindowSize: 4 };
const WINDOW_MAX = 0x7fffffff;
const WINDOW_AT_FIRST = 65_535;
const HEADER_BYTES = 9;

function frame(type, flags, stream, payload) {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  payload.copy(bytes, HEADER_BYTES);
  return bytes;
}

function uint32(value) {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function setting(name, value) {
  return Buffer.concat([Buffer.from([0, name]), uint32(value)]);
}

function text(value) {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
}

/** The headers of every call, in HPACK without its dynamic table: indexes of the static one, and literals. */
function headersOf(path, authority) {
  return Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST, :scheme http
    ...[Buffer.from([0x04]), text(path), Buffer.from([0x01]), text(authority)],
    ...[Buffer.from([0x0f, 0x10]), text('application/grpc'), Buffer.from([0x00]), text('te'), text('trailers')],
  ]);
}

/**
 * A gRPC client for one unary method, on one connection: as much of HTTP/2 as that takes. A library costs several times as much,
 * on the cores that the load shares with what is measured.
 */
export class GrpcConnection {
  #socket;
  #headers;
  #calls = new Map();
  #nextStream = 1;
  #received = Buffer.alloc(0);
  #window = WINDOW_AT_FIRST;
  #waiting = [];

  constructor({ host, port, path }) {
    this.#headers = headersOf(path, `${host}:${port}`);
    this.#socket = connect(port, host).setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#onData(chunk));
    this.#socket.on('error', () => undefined).on('close', () => this.#failAll());
    const settings = [
      setting(SETTING.headerTableSize, 0),
      setting(SETTING.enablePush, 0),
      setting(SETTING.initialWindowSize, WINDOW_MAX),
    ];
    this.#socket.write(PREFACE);
    this.#socket.write(frame(FRAME.settings, 0, 0, Buffer.concat(settings)));
    // Never used up: answers have some thirty bytes.
    this.#socket.write(frame(FRAME.windowUpdate, 0, 0, uint32(WINDOW_MAX - WINDOW_AT_FIRST)));
  }

  /** @returns {Promise<boolean>} whether it was answered with a message, which errors are not */
  call(message) {
    return new Promise((settle) => {
      const data = Buffer.concat([Buffer.from([0]), uint32(message.length), message]);
      this.#waiting.push({ data, call: { settle, hasMessage: false } });
      this.#sendWaiting();
    });
  }

  close() {
    this.#socket.destroy();
  }

  #sendWaiting() {
    while (this.#waiting.length > 0 && this.#waiting[0].data.length <= this.#window && !this.#socket.destroyed) {
      const { data, call } = this.#waiting.shift();
      const stream = this.#nextStream;
      this.#nextStream += 2;
      this.#window -= data.length;
      this.#calls.set(stream, call);
      const headers = frame(FRAME.headers, FLAG.endHeaders, stream, this.#headers);
      this.#socket.write(Buffer.concat([headers, frame(FRAME.data, FLAG.endStream, stream, data)]));
    }
    if (this.#socket.destroyed) this.#failAll();
  }

  #onData(chunk) {
    let rest = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUIntBE(0, 3);
      if (rest.length < HEADER_BYTES + length) break;
      const stream = rest.readUInt32BE(5) & WINDOW_MAX;
      this.#onFrame(rest[3], rest[4], stream, rest.subarray(HEADER_BYTES, HEADER_BYTES + length));
      rest = rest.subarray(HEADER_BYTES + length);
    }
    this.#received = rest;
  }

  #onFrame(type, flags, stream, payload) {
    if (type === FRAME.settings && (flags & FLAG.ack) === 0) {
      this.#socket.write(frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0)));
    } else if (type === FRAME.ping && (flags & FLAG.ack) === 0) {
      this.#socket.write(frame(FRAME.ping, FLAG.ack, 0, payload));
    } else if (type === FRAME.windowUpdate && stream === 0) {
      this.#window += payload.readUInt32BE(0) & WINDOW_MAX;
      this.#sendWaiting();
    } else if (type === FRAME.data) {
      const call = this.#calls.get(stream);
      if (call !== undefined) call.hasMessage = true;
    } else if (type === FRAME.goAway) this.#socket.destroy();
    const isEnd = (type === FRAME.headers || type === FRAME.data) && (flags & FLAG.endStream) !== 0;
    if (!isEnd && type !== FRAME.reset) return;
    const call = this.#calls.get(stream);
    this.#calls.delete(stream);
    call?.settle(call.hasMessage && type !== FRAME.reset);
  }

  #failAll() {
    const open = [...this.#calls.values(), ...this.#waiting.map(({ call }) => call)];
    this.#calls.clear();
    this.#waiting = [];
    for (const { settle } of open) settle(false);
  }
}

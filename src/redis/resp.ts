/*
 * As much of Redis's protocol (RESP 2 and 3) as publishing, subscribing and writing hashes takes; connection.ts has ioredis for all
 * else. A value that may come in pieces is read once all of it is there: what is expected is either short or one text.
 */

/** A text of whoever else may publish; larger packets than the bus takes are refused where they are counted. */
const textBytesMax = 64 * 1024 * 1024;
/** A whole value: one text and what is around it, or very many numbers. */
const valueBytesMax = textBytesMax + 1024 * 1024;
/** What is said in a line is a number, a word or an error. */
const lineBytesMax = 64 * 1024;
/** Of one answer: EXEC has one for each command of a turn. */
const elementsMax = 1024 * 1024;
const depthMax = 4;

const carriageReturn = 13;
const lineFeed = 10;
const zero = 48;
const nine = 57;
const minus = 45;
const dollar = 36;
const star = 42;
const greater = 62;
const lineEndBytes = 2;

/** A command and its arguments; texts go out as UTF-8. */
export type Command = readonly (string | Uint8Array)[];

/** What Redis answers. An error is an answer like others: which command it concerns shows in its place. */
export type Reply = string | number | boolean | null | Buffer | ErrorReply | readonly Reply[];

/** Redis has not done what a command said. */
export class ErrorReply extends Error {}

/** What comes in is not what a Redis says: nothing on this connection can be trusted to be in its place any more. */
export class ProtocolViolation extends Error {}

/** Commands as they go out, one after the other in one piece. */
export function encodeCommands(commands: readonly Command[]): Buffer {
  let size = 0;
  for (const command of commands) {
    size += headerBytes(command.length);
    for (const argument of command) {
      const length = bytesOf(argument);
      size += headerBytes(length) + length + lineEndBytes;
    }
  }
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (const command of commands) {
    at = writeHeader(out, at, star, command.length);
    for (const argument of command) {
      const length = bytesOf(argument);
      at = writeHeader(out, at, dollar, length);
      if (typeof argument === 'string') out.write(argument, at);
      else out.set(argument, at);
      at = writeLineEnd(out, at + length);
    }
  }
  return out;
}

const bytesOf = (argument: string | Uint8Array): number =>
  typeof argument === 'string' ? Buffer.byteLength(argument) : argument.length;

/** A sign, a number, and the end of the line. */
function headerBytes(count: number): number {
  let digits = 1;
  for (let rest = count; rest > 9; rest = Math.trunc(rest / 10)) digits++;
  return 1 + digits + lineEndBytes;
}

function writeHeader(out: Buffer, at: number, sign: number, count: number): number {
  const end = at + headerBytes(count) - lineEndBytes;
  out[at] = sign;
  for (let rest = count, place = end - 1; place > at; rest = Math.trunc(rest / 10)) out[place--] = zero + (rest % 10);
  return writeLineEnd(out, end);
}

function writeLineEnd(out: Buffer, at: number): number {
  out[at] = carriageReturn;
  out[at + 1] = lineFeed;
  return at + lineEndBytes;
}

/** Not all of a value is there yet. */
const incomplete = Symbol('incomplete');

/** Takes apart what comes in, and hands on each value once all of it is there. */
export class RespDecoder {
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  /** Of a value that has begun: what is there, and how many bytes it takes at least. */
  private begun: Buffer[] = [];
  private begunBytes = 0;
  private needed = 0;
  /** Pushes in the middle of the value that is being read. */
  private readonly pushes: Reply[] = [];

  /**
   * @param onValue gets an answer, or what was published; a text in it is a part of the bytes that came in. With RESP 3 what
   * Redis says of itself is a push, which answers nothing, unless it confirms a subscription; one in the middle of an answer
   * comes after it
   */
  constructor(private readonly onValue: (value: Reply, isPush: boolean) => void) {}

  /** @throws {ProtocolViolation} */
  write(chunk: Buffer): void {
    this.begun.push(chunk);
    this.begunBytes += chunk.length;
    if (this.begunBytes < this.needed) return;
    this.bytes = this.begun.length === 1 ? chunk : Buffer.concat(this.begun);
    this.begun = [];
    this.begunBytes = 0;
    this.needed = 0;
    this.at = 0;
    while (this.at < this.bytes.length) {
      const begin = this.at;
      const isPush = this.bytes[begin] === greater;
      const value = this.value(0);
      if (value === incomplete) {
        this.pushes.length = 0; // they are read again with the rest
        this.keep(begin);
        return;
      }
      this.onValue(value, isPush);
      if (this.pushes.length > 0) for (const push of this.pushes.splice(0)) this.onValue(push, true);
    }
  }

  /** From here on it is to be read again. */
  private keep(begin: number): void {
    const rest = this.bytes.subarray(begin);
    this.begun.push(rest);
    this.begunBytes = rest.length;
    this.needed = Math.max(this.needed - begin, rest.length + 1);
    if (this.needed > valueBytesMax) throw new ProtocolViolation('a value larger than any');
  }

  private value(depth: number): Reply | typeof incomplete {
    const sign = this.bytes[this.at];
    const begin = this.at + 1;
    if (!this.skipLine()) return incomplete;
    const end = this.at - lineEndBytes;
    switch (sign) {
      case 36: // $
        return this.text(this.integer(begin, end));
      case 58: // :
        return this.integer(begin, end);
      case 42: // *
      case 62: // >
        return this.list(this.integer(begin, end), depth + 1);
      case 37: // %, a list of names and their values
        return this.list(2 * this.integer(begin, end), depth + 1);
      case 43: // +
        return this.bytes.toString('latin1', begin, end);
      case 45: // -
        return new ErrorReply(this.bytes.toString('utf8', begin, end));
      case 95: // _
        return null;
      case 35: // #
        return this.bytes[begin] === 116; // t
      default:
        throw new ProtocolViolation(`a value that begins with byte ${String(sign)}`);
    }
  }

  private skipLine(): boolean {
    const { bytes } = this;
    const limit = this.at + lineBytesMax;
    for (let at = this.at + 1; at + 1 < bytes.length; at++) {
      if (at > limit) throw new ProtocolViolation('a line longer than any');
      if (bytes[at] === carriageReturn) {
        if (bytes[at + 1] !== lineFeed) throw new ProtocolViolation('a line that does not end');
        this.at = at + lineEndBytes;
        return true;
      }
    }
    return false;
  }

  private integer(begin: number, end: number): number {
    const isNegative = this.bytes[begin] === minus;
    let number = 0;
    for (let at = isNegative ? begin + 1 : begin; at < end; at++) {
      const digit = this.bytes[at] ?? 0;
      if (digit < zero || digit > nine) throw new ProtocolViolation('a number with other signs than digits');
      number = number * 10 + digit - zero;
    }
    return isNegative ? -number : number;
  }

  private text(length: number): Buffer | null | typeof incomplete {
    if (length < 0) return null;
    if (length > textBytesMax) throw new ProtocolViolation(`a text of ${String(length)} bytes`);
    const begin = this.at;
    const end = begin + length;
    if (end + lineEndBytes > this.bytes.length) {
      this.needed = end + lineEndBytes;
      return incomplete;
    }
    this.at = end + lineEndBytes;
    return this.bytes.subarray(begin, end);
  }

  private list(length: number, depth: number): Reply | typeof incomplete {
    if (length < 0) return null;
    if (length > elementsMax || depth > depthMax) throw new ProtocolViolation('an answer larger than any');
    const values: Reply[] = [];
    while (values.length < length) {
      if (this.at >= this.bytes.length) return incomplete;
      const isPush = this.bytes[this.at] === greater;
      const value = this.value(depth);
      if (value === incomplete) return incomplete;
      // Before 7.2 Redis tells who publishes in a MULTI, and subscribes, of it in the middle of EXEC's answer.
      (isPush ? this.pushes : values).push(value);
    }
    return values;
  }
}

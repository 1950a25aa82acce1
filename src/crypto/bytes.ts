/** Big-endian pieces of signed and hashed byte strings. */

/** The largest str in bytes. */
const strBytesMax = 0xffff;

export function u8(value: number): Buffer {
  const bytes = Buffer.alloc(1);
  bytes.writeUInt8(value);
  return bytes;
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** @throws {RangeError} unless `value` is a non-negative safe integer. */
export function u64(value: number): Buffer {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a non-negative safe integer`);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** u16 length, then UTF-8. @throws {RangeError} when it has more than 65,535 bytes or is not well-formed Unicode. */
export function str(value: string): Buffer {
  if (/\p{Surrogate}/u.test(value)) throw new RangeError('a string with a lone surrogate has no UTF-8');
  const utf8 = Buffer.from(value, 'utf8');
  if (utf8.length > strBytesMax) throw new RangeError(`a string of ${utf8.length} bytes is over ${strBytesMax}`);
  return Buffer.concat([u16(utf8.length), utf8]);
}

/** A domain tag: ASCII and a zero byte, so that no tag is another's beginning. */
export function tag(name: string): Buffer {
  return Buffer.from(`${name}\0`, 'ascii');
}

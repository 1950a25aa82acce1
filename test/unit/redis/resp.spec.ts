import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeCommands, ErrorReply, ProtocolViolation, RespDecoder, type Reply } from '../../../src/redis/resp.js';

/** What a decoder hands on when it gets these bytes in pieces of so many. */
function decoded(bytes: Buffer | string, pieces: readonly number[] = []): Reply[] {
  const values: Reply[] = [];
  const decoder = new RespDecoder((value) => values.push(value));
  let rest = Buffer.from(bytes);
  for (const piece of pieces) {
    decoder.write(rest.subarray(0, piece));
    rest = rest.subarray(piece);
  }
  if (rest.length > 0) decoder.write(rest);
  return values;
}

const text = (content: string): Buffer => Buffer.from(content);

/** One of each kind, as Redis says it. */
const conversation: readonly (readonly [said: string, value: Reply])[] = [
  ['+OK\r\n', 'OK'],
  ['+\r\n', ''],
  [':0\r\n', 0],
  [':-42\r\n', -42],
  [':1000000\r\n', 1_000_000],
  ['$5\r\nhe\r\no\r\n', text('he\r\no')],
  ['$0\r\n\r\n', text('')],
  ['$-1\r\n', null],
  ['*-1\r\n', null],
  ['_\r\n', null],
  ['#t\r\n', true],
  ['#f\r\n', false],
  ['*0\r\n', []],
  ['*3\r\n:1\r\n+QUEUED\r\n$2\r\nab\r\n', [1, 'QUEUED', text('ab')]],
  ['%2\r\n$5\r\nproto\r\n:3\r\n+a\r\n*0\r\n', [text('proto'), 3, 'a', []]],
  ['>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\n\0\r\n\r\n', [text('message'), text('c'), text('\0\r\n')]],
  ['*2\r\n*1\r\n:7\r\n_\r\n', [[7], null]],
  ['-OOM command not allowed\r\n', new ErrorReply('OOM command not allowed')],
  ['*2\r\n-WRONGTYPE it is a hash\r\n:1\r\n', [new ErrorReply('WRONGTYPE it is a hash'), 1]],
];

describe('commands to Redis', () => {
  it('go out as lists of texts with their lengths in bytes, one after the other', () => {
    const commands = [['PING'], ['HSET', 'ключ', 'f', Buffer.of(0, 13, 10, 255)], []];
    expect(encodeCommands(commands).toString('latin1')).toBe(
      `*1\r\n$4\r\nPING\r\n*4\r\n$4\r\nHSET\r\n$8\r\n${text('ключ').toString('latin1')}\r\n$1\r\nf\r\n$4\r\n\0\r\n\xff\r\n*0\r\n`,
    );
    expect(encodeCommands([])).toHaveLength(0);
  });

  it.each([9, 10, 99, 100, 99_999, 100_000])('say the length of a text of %i bytes', (length) => {
    const argument = Buffer.alloc(length, 'x');
    expect(encodeCommands([[argument]]).toString()).toBe(`*1\r\n$${length}\r\n${argument.toString()}\r\n`);
  });

  it('can be read back, whatever is in them', () => {
    const argument = fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 300 }));
    fc.assert(
      fc.property(fc.array(fc.array(argument)), (commands) => {
        // A lone surrogate goes out as U+FFFD, as anywhere in UTF-8.
        const expected = commands.map((command) => command.map((one) => Buffer.from(one as string)));
        expect(decoded(encodeCommands(commands))).toEqual(expected);
      }),
    );
  });
});

describe('what Redis says', () => {
  it.each(conversation)('%j', (said, value) => {
    expect(decoded(said)).toEqual([value]);
  });

  it('is the same wherever it is cut', () => {
    const all = text(conversation.map(([said]) => said).join(''));
    const values = conversation.map(([, value]) => value);
    expect(decoded(all)).toEqual(values);
    for (let cut = 0; cut <= all.length; cut++) expect(decoded(all, [cut])).toEqual(values);
    expect(decoded(all, Array<number>(all.length).fill(1))).toEqual(values);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 30 }), (pieces) => {
        expect(decoded(all, pieces)).toEqual(values);
      }),
    );
  });

  it('is handed on as soon as it is whole, and not before', () => {
    expect(decoded('$3\r\nabc\r')).toEqual([]);
    expect(decoded('*2\r\n:1\r\n')).toEqual([]);
    expect(decoded('+OK\r\n$3\r\nab')).toEqual(['OK']);
  });

  it('is joined once when it is large, however many pieces it comes in', () => {
    const payload = Buffer.alloc(4 * 1024 * 1024, 'p');
    const message = Buffer.concat([
      text(`*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$${payload.length}\r\n`),
      payload,
      text('\r\n'),
    ]);
    let joined = 0;
    const { concat } = Buffer;
    Buffer.concat = (list: readonly Uint8Array[], length?: number) => {
      joined++;
      return concat(list, length);
    };
    try {
      const [value] = decoded(message, Array<number>(message.length >> 10).fill(1024)) as (readonly Reply[])[];
      expect(payload.equals(value![2] as Buffer)).toBe(true);
    } finally {
      Buffer.concat = concat;
    }
    expect(joined).toBe(1);
  });

  it('says which values are pushed', () => {
    const pushed: boolean[] = [];
    const decoder = new RespDecoder((_, isPush) => pushed.push(isPush));
    decoder.write(text('*1\r\n:1\r\n>1\r\n:1\r\n+OK\r\n>1\r\n'));
    decoder.write(text(':1\r\n'));
    expect(pushed).toEqual([false, true, false, true]);
  });

  it('comes before what was pushed in the middle of it, however it is cut', () => {
    const message = '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n';
    const said = text(`+QUEUED\r\n*3\r\n:1\r\n${message}${message}:2\r\n${message}:3\r\n+OK\r\n`);
    const heard = [text('message'), text('c'), text('hi')];
    const all = [['QUEUED', false], [[1, 2, 3], false], ...[1, 2, 3].map(() => [heard, true]), ['OK', false]];
    for (let cut = 0; cut <= said.length; cut++) {
      const values: unknown[] = [];
      const decoder = new RespDecoder((value, isPush) => values.push([value, isPush]));
      decoder.write(said.subarray(0, cut));
      decoder.write(said.subarray(cut));
      expect(values).toEqual(all);
    }
  });

  it('is kept within limits while it has no end', () => {
    const mebibyte = Buffer.alloc(1024 * 1024, 'x');
    expect(decoded(Buffer.concat([text('+'), mebibyte.subarray(0, 65_000), text('\r\n')]))).toHaveLength(1);
    expect(() => decoded(Buffer.concat([text('+'), mebibyte]))).toThrow('a line longer than any');
    // Texts that are each within their limit, in one list.
    const decoder = new RespDecoder(() => undefined);
    decoder.write(text('*100\r\n'));
    const many = (): void => {
      for (let count = 0; count < 100; count++) {
        decoder.write(text(`$${String(mebibyte.length)}\r\n`));
        decoder.write(mebibyte);
        decoder.write(text('\r\n'));
      }
    };
    expect(many).toThrow('a value larger than any');
    expect(() => decoded('*2\r\n$60000000\r\n')).not.toThrow();
    expect(() => decoded(`*2\r\n$2000000\r\n${'y'.repeat(2_000_000)}\r\n$67000000\r\n`)).toThrow(
      'a value larger than any',
    );
  });

  it.each([
    ['another kind of value', '?1\r\n'],
    ['a number that is none', ':1x\r\n'],
    ['a length that is none', '$ 1\r\nx\r\n'],
    ['a line that goes on', '+OK\rmore\r\n'],
    ['a text larger than any', '$70000000\r\n'],
    ['a list larger than any', '*2000000\r\n'],
    ['lists within lists within lists', '*1\r\n'.repeat(5)],
  ])('is not believed: %s', (_, said) => {
    expect(() => decoded(said)).toThrow(ProtocolViolation);
  });
});

import nodeCrypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

type Call = (...parts: unknown[]) => unknown;

/** A way to ask the process for the time or for chance, and who answers instead. */
interface Replaced {
  readonly owner: object;
  readonly property: string;
  readonly by: unknown;
}

/** Another year, month, day of the week, hour, minute, second and millisecond. */
const shiftMs = 400 * 86_400_000 + 5 * 3_600_000 + 7 * 60_000 + 11_013;

/**
 * Runs something synchronous as in another process, at another time: the clocks show something else, and chance draws
 * something else (what is random anyhow goes on being so). Told are the clocks and dice that it asked, as they are called.
 * Functions that an ES module imports by name from `node:crypto` or `node:process` are watched, too. What a module put into a
 * variable of its own as it was loaded (`const { random } = Math`, `const { randomUUID } = require('node:crypto')`) cannot be:
 * dice draw something else all the same, but such a clock shows the true time.
 */
export function elsewhere<T>(run: () => T): { readonly outcome: T; readonly used: readonly string[] } {
  const used = new Set<string>();
  const undo = replacements((call) => used.add(call)).map(replace);
  // Names imported from Node's own modules are bindings that follow when they are told to.
  syncBuiltinESMExports();
  try {
    const outcome = run();
    return { outcome, used: [...used] };
  } finally {
    for (const putBack of undo.reverse()) putBack();
    syncBuiltinESMExports();
  }
}

/** Looked up each time: whoever else replaces the clock gets it back as it was. */
function replacements(onUse: (call: string) => void): readonly Replaced[] {
  const watched = (owner: object, name: string, property: string, other: (answer: unknown) => unknown): Replaced => {
    const real = (owner as Record<string, Call>)[property];
    const by: Call = (...parts) => {
      onUse(`${name}.${property}()`);
      return other(real?.apply(owner, parts));
    };
    return { owner, property, by };
  };
  const later =
    (shift: number) =>
    (answer: unknown): number =>
      Number(answer) + shift;
  const mirrored = (answer: unknown): number => 1 - 2 ** -53 - Number(answer);
  const asItIs = (answer: unknown): unknown => answer;
  const { crypto: webCrypto } = globalThis;
  return [
    { owner: globalThis, property: 'Date', by: laterDate(onUse) },
    watched(Date, 'Date', 'now', later(shiftMs)),
    watched(performance, 'performance', 'now', later(shiftMs)),
    watched(process, 'process', 'uptime', later(shiftMs / 1000)),
    { owner: process, property: 'hrtime', by: laterHrtime(onUse) },
    watched(Math, 'Math', 'random', mirrored),
    watched(webCrypto, 'crypto', 'getRandomValues', asItIs),
    watched(webCrypto, 'crypto', 'randomUUID', asItIs),
    watched(nodeCrypto, 'crypto', 'randomBytes', asItIs),
    watched(nodeCrypto, 'crypto', 'randomFillSync', asItIs),
    watched(nodeCrypto, 'crypto', 'randomInt', asItIs),
    watched(nodeCrypto, 'crypto', 'randomUUID', asItIs),
  ];
}

/** Only what names no moment asks for the clock: `new Date(0)` is the same everywhere. */
function laterDate(onUse: (call: string) => void): DateConstructor {
  const realNow = Date.now.bind(Date);
  const now = (call: string): number => {
    onUse(call);
    return realNow() + shiftMs;
  };
  return new Proxy(Date, {
    construct: (target, parts: unknown[], newTarget) =>
      Reflect.construct(target, parts.length > 0 ? parts : [now('new Date()')], newTarget) as object,
    apply: (target) => new target(now('Date()')).toString(),
  });
}

function laterHrtime(onUse: (call: string) => void): NodeJS.HRTime {
  const { hrtime } = process;
  const shifted = ([seconds, nanoseconds]: [number, number]): [number, number] => [seconds + shiftMs, nanoseconds];
  const by = (since?: [number, number]): [number, number] => {
    onUse('process.hrtime()');
    return since === undefined ? shifted(hrtime()) : hrtime([since[0] - shiftMs, since[1]]);
  };
  const bigint = (): bigint => {
    onUse('process.hrtime.bigint()');
    return hrtime.bigint() + BigInt(shiftMs) * 1_000_000_000n;
  };
  return Object.assign(by, { bigint });
}

/** @returns what puts it back as it was */
function replace({ owner, property, by }: Replaced): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, property);
  // Where the intrinsics are frozen it stays as it is: two runs may differ of themselves.
  Reflect.defineProperty(owner, property, { value: by, configurable: true, writable: true, enumerable: false });
  return () => {
    if (before === undefined) Reflect.deleteProperty(owner, property);
    else Reflect.defineProperty(owner, property, before);
  };
}

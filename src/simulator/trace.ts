import type { Logger } from '../ports/logger.js';
import type { Delivery } from './network.js';
import { describeFrame } from './describe.js';
import { splitPacket } from '../wire/frame.js';
import type { VirtualTime } from './virtual-time.js';

/** What happened, one line for each message and each fault: time, from → to, kind, view/sequence, digest. */
export class Trace {
  readonly lines: string[] = [];

  constructor(
    private readonly time: VirtualTime,
    private readonly genesisDigest: Buffer,
    /** Told each line at once. */
    private readonly onLine: (line: string) => void = () => undefined,
  ) {}

  add(text: string): void {
    const line = `${this.time.now.toFixed(3).padStart(11)}  ${text}`;
    this.lines.push(line);
    this.onLine(line);
  }

  delivery({ from, to, payload }: Delivery): void {
    const frames = splitPacket(payload);
    const texts =
      typeof frames === 'string' ? [frames] : frames.map((frame) => describeFrame(frame, this.genesisDigest));
    for (const text of texts) this.add(`${from || 'somebody'} → ${to}  ${text}`);
  }

  loggerOf(name: string): Logger {
    const write = (facts: object, text: string): void => {
      this.add(`${name}: ${text} ${textOf(facts)}`.trimEnd());
    };
    return { info: write, warn: write, error: write };
  }
}

function textOf(facts: object): string {
  return Object.entries(facts)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}

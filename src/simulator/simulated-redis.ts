import type { LogPlace, LogWrite, Removal } from '../ports/message-log.js';

/** What one replica keeps in a Redis: its hashes by their places. */
export type Hashes = Map<LogPlace, Map<string, Buffer>>;

/** The hashes of one Redis. Whoever runs it may do to them what they like. */
export class SimulatedRedis {
  /** How often it went out of reach. */
  outages = 0;
  private unreachable: string | undefined;
  /** Why writes are refused just now. */
  refusal: string | undefined;
  private replicas = new Map<string, Hashes>();

  /** Why nothing gets through just now; `undefined` when it does. */
  get outage(): string | undefined {
    return this.unreachable;
  }

  set outage(outage: string | undefined) {
    if (outage !== undefined) this.outages++;
    this.unreachable = outage;
  }

  hashesOf(replica: string): Hashes {
    const known = this.replicas.get(replica);
    if (known !== undefined) return known;
    const hashes: Hashes = new Map();
    this.replicas.set(replica, hashes);
    return hashes;
  }

  write(replica: string, removals: readonly Removal[], writes: readonly LogWrite[]): void {
    const hashes = this.hashesOf(replica);
    for (const removal of removals) {
      if (removal.place === 'state' && removal.fields !== 'all') {
        for (const field of removal.fields) hashes.get('state')?.delete(field);
      } else {
        hashes.delete(removal.place);
      }
    }
    for (const { place, fields } of writes) {
      const hash = hashes.get(place) ?? new Map<string, Buffer>();
      hashes.set(place, hash);
      for (const [field, value] of fields) hash.set(field, asBuffer(value));
    }
  }

  /** A replica's hashes as they are now. Values are never changed in place, so a copy of the maps is one. */
  copy(replica: string): Hashes {
    return new Map([...this.hashesOf(replica)].map(([place, hash]) => [place, new Map(hash)]));
  }

  putBack(replica: string, hashes: Hashes): void {
    this.replicas.set(replica, new Map([...hashes].map(([place, hash]) => [place, new Map(hash)])));
  }

  loseEverything(): void {
    this.replicas = new Map();
  }
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
}

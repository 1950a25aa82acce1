import type { LogPlace } from '../ports/message-log.js';

/** Hashes by their keys: all that Redis stores for a cluster. Whoever runs it may do to them what they like. */
export class MemoryStore {
  private hashes = new Map<string, Map<string, Buffer>>();

  get keys(): readonly string[] {
    return [...this.hashes.keys()];
  }

  /** A copy of all fields; none when there is no such hash. */
  read(key: string): ReadonlyMap<string, Buffer> {
    return new Map([...(this.hashes.get(key) ?? [])].map(([field, value]) => [field, Buffer.from(value)]));
  }

  get(key: string, field: string): Buffer | undefined {
    const value = this.hashes.get(key)?.get(field);
    return value && Buffer.from(value);
  }

  write(key: string, field: string, value: Uint8Array): void {
    const hash = this.hashes.get(key) ?? new Map<string, Buffer>();
    hash.set(field, Buffer.from(value));
    this.hashes.set(key, hash);
  }

  delete(key: string): void {
    this.hashes.delete(key);
  }

  /** A hash without fields is none. */
  deleteField(key: string, field: string): void {
    const hash = this.hashes.get(key);
    if (hash?.delete(field) === true && hash.size === 0) this.hashes.delete(key);
  }

  /** The content as it is now, to be put back by `rollBack`. */
  snapshot(): ReadonlyMap<string, ReadonlyMap<string, Buffer>> {
    return new Map(this.keys.map((key) => [key, this.read(key)]));
  }

  rollBack(snapshot: ReadonlyMap<string, ReadonlyMap<string, Buffer>>): void {
    this.hashes = new Map([...snapshot].map(([key, hash]) => [key, new Map(hash)]));
  }
}

/** Where one of a replica's hashes is kept. */
export function logKey(replica: string, place: LogPlace): string {
  return typeof place === 'number' ? `log:${replica}:${place}` : `${place}:${replica}`;
}

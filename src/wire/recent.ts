/**
 * What came last, by name: at most so many things of so many bytes together, and at least half of either. Half of them are let go at
 * once, since a Map that loses its oldest entry again and again walks past all that it has lost, each time.
 */
export class Recent<T> {
  private young = new Map<string, T>();
  private old: ReadonlyMap<string, T> = new Map();
  private youngBytes = 0;

  constructor(
    private readonly sizeMax: number,
    private readonly bytesMax = Infinity,
  ) {}

  get(name: string): T | undefined {
    return this.young.get(name) ?? this.old.get(name);
  }

  has(name: string): boolean {
    return this.young.has(name) || this.old.has(name);
  }

  /** @param bytes what remembering it takes, where that counts */
  add(name: string, thing: T, bytes = 0): void {
    if (this.young.has(name)) return;
    const isFull = this.young.size >= this.sizeMax / 2 || this.youngBytes + bytes > this.bytesMax / 2;
    if (isFull && this.young.size > 0) {
      this.old = this.young;
      this.young = new Map();
      this.youngBytes = 0;
    }
    this.young.set(name, thing);
    this.youngBytes += bytes;
  }
}

import type { Timestamps } from '../ports/timestamps.js';
import type { DataFolder } from './data-folder.js';

const file = 'timestamps';
/** Timestamps that one write to the file reserves. */
const reserve = 10_000;

/** Timestamps 1, 2, 3 …; the file holds a number that was never reached. A restart skips what was left of a reserve. */
export class TimestampFile implements Timestamps {
  private last: number;
  private reserved: number;

  constructor(private readonly folder: DataFolder) {
    this.reserved = Number(folder.read(file)?.toString('utf8') ?? 0);
    this.last = this.reserved;
  }

  next(): number {
    if (this.last >= this.reserved) {
      this.reserved = this.last + reserve;
      this.folder.write(file, String(this.reserved));
    }
    return ++this.last;
  }
}

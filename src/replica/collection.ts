import type { StoreOutput } from './checkpoint-store.js';
import { ownFields } from './state-fields.js';

/** Hashes that are removed in a tick. */
const removalsMax = 64;

/**
 * Removes the log's hashes that nobody needs: those below both the stored checkpoint, from which a restart goes on, and the
 * stable one, from which the protocol does; but the last `retention` of these stay for peers that are a little behind,
 * and for whoever asks what was decided (rules 23 and 33).
 */
export class LogCollection {
  /** Up to here all hashes are gone. */
  private collected: number;

  /**
   * @param retention sequence numbers
   * @param own the replica's own hash, as read at the start. It is not trusted: at worst hashes stay that could go.
   */
  constructor(
    private readonly retention: number,
    own: Readonly<Record<string, Buffer>>,
  ) {
    this.collected = collectedIn(own);
  }

  /** Redis was set back: what had gone is there again. */
  onReadBack(own: Readonly<Record<string, Buffer>>): void {
    if (ownFields.collected in own) this.collected = Math.min(this.collected, collectedIn(own));
  }

  /** The next hashes to go, if any. */
  tick(stored: number, stable: number, out: StoreOutput): void {
    const limit = Math.min(stored, stable) - this.retention;
    const last = Math.min(limit, this.collected + removalsMax);
    if (last <= this.collected) return;
    for (let place = this.collected + 1; place <= last; place++) out.remove({ place });
    this.collected = last;
    out.write('replica', ownFields.collected, Buffer.from(String(last)));
  }
}

function collectedIn(own: Readonly<Record<string, Buffer>>): number {
  const text = own[ownFields.collected]?.toString() ?? '';
  const collected = /^\d+$/.test(text) ? Number(text) : 0;
  return Number.isSafeInteger(collected) ? collected : 0;
}

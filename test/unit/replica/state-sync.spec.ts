import { describe, expect, it } from '@jest/globals';
import { sequence } from '../../../src/pbft/types.js';
import type { Host } from '../../../src/replica/host.js';
import { StateSync, type StateSyncOptions } from '../../../src/replica/state-sync.js';
import { TurnBuilder } from '../../../src/replica/turn-builder.js';
import { entries, Holding } from '../../support/state-transfer.js';
import { proofOf } from '../../support/storing.js';

/** Stores a state of which each piece of 32 KiB holds a few dozen keys. */
function storing() {
  const holding = new Holding(entries(2000, 1000));
  /** What was written so far, and what is waiting for its turn to be out. */
  const pieces: number[] = [];
  let onKept: (() => void) | undefined;
  const host: Pick<Host, 'keepHouse'> & { readonly replica: object } = {
    replica: { stable: { sequence: sequence(128), proof: [] }, lastExecuted: sequence(128) },
    keepHouse(write, then) {
      const turn = new TurnBuilder();
      write(turn);
      if (turn.isEmpty) return;
      pieces.push(turn.bytes);
      onKept = then;
    },
  };
  const options = {
    host,
    outbox: { interruptions: 0 },
    service: { checkpoints: holding.state },
    incarnation: 'this process',
    retention: 0,
    book: { frameOf: () => proofOf(128, of)[0] },
  };
  const sync = new StateSync(options as unknown as StateSyncOptions);
  sync.begin(undefined, {});
  const { digest: of } = holding.freeze(128);
  sync.onStable({
    sequence: sequence(128),
    proof: [{ kind: 'checkpoint', replica: 0, sequence: sequence(128), digest: of }] as never,
  });
  return {
    pieces,
    tick: () => sync.tick(),
    /** The turn that was written last is out. */
    sent() {
      const next = onKept;
      onKept = undefined;
      next?.();
    },
  };
}

describe('storing a checkpoint', () => {
  it('writes several pieces in a tick, each once the one before it is out, and no more than eight', () => {
    const { pieces, tick, sent } = storing();
    tick();
    expect(pieces).toHaveLength(1);
    for (let piece = 2; piece <= 8; piece++) {
      sent();
      expect(pieces).toHaveLength(piece);
    }
    sent();
    expect(pieces).toHaveLength(8);
    tick();
    expect(pieces).toHaveLength(9);
    expect(Math.max(...pieces)).toBeLessThan(64 * 1024);
  });
});

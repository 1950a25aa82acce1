import { describe, expect, it } from '@jest/globals';
import type { Promised } from '../../src/pbft/messages.js';
import { digest, sequence, view } from '../../src/pbft/types.js';
import type { PromiseKeeper } from '../../src/ports/promise-keeper.js';

export function promise(kind: Promised['kind'], place: number, mark = 1): Promised {
  return { kind, view: view(0), sequence: sequence(place), digest: digest(mark.toString(16).padStart(64, '0')) };
}

/** What `PromiseKeeper` promises. `reopen` gives the keeper that a process finds which was killed and started again. */
export function promiseKeeperSuite(make: () => { keeper: PromiseKeeper; reopen: () => PromiseKeeper }): void {
  describe('promise keeper', () => {
    it('has none at first', () => {
      expect(make().keeper.read()).toEqual([]);
    });

    it('gives back what was kept, over a crash at any moment', () => {
      const { keeper, reopen } = make();
      const first = [promise('pre-prepare', 1), promise('prepare', 2, 0xabc)];
      const second = [promise('commit', 1), { ...promise('commit', 2), view: view(2 ** 40) }];
      keeper.keep(first);
      expect(reopen().read()).toEqual(first);
      const again = reopen();
      again.keep([]);
      again.keep(second);
      expect(again.read()).toEqual([...first, ...second]);
      expect(reopen().read()).toEqual([...first, ...second]);
    });

    it('gives back the proof of a COMMIT to the byte', () => {
      const { keeper, reopen } = make();
      const proven = { ...promise('commit', 1), proof: Buffer.from('a certificate') };
      keeper.keep([proven, promise('prepare', 2)]);
      expect(reopen().read()).toEqual([proven, promise('prepare', 2)]);
    });

    it('forgets up to a sequence number and keeps what lies beyond', () => {
      const { keeper } = make();
      keeper.keep([1, 2, 3, 4].map((place) => promise('prepare', place)));
      keeper.forget(2);
      expect(keeper.read()).toEqual([promise('prepare', 3), promise('prepare', 4)]);
      keeper.keep([promise('prepare', 5)]);
      expect(keeper.read().map((kept) => kept.sequence)).toEqual([3, 4, 5]);
    });

    it('remembers up to where it has forgotten, over a crash', () => {
      const { keeper, reopen } = make();
      keeper.keep([1, 2, 3, 4].map((place) => promise('prepare', place)));
      keeper.forget(3);
      const again = reopen();
      expect(again.settled).toBe(3);
      expect(again.read()).toEqual([promise('prepare', 4)]);
    });

    it('remembers up to where it has forgotten, or what was there, over a crash and over many', () => {
      const { keeper, reopen } = make();
      expect(keeper.settled).toBe(0);
      keeper.keep([1, 2, 3].map((place) => promise('prepare', place)));
      keeper.forget(2);
      keeper.forget(1);
      expect(keeper.settled).toBe(2);
      for (let life = 0; life < 3; life++) {
        const again = reopen();
        const bound = again.read().map((kept) => kept.sequence);
        for (const place of [1, 2, 3]) expect(place <= again.settled || bound.includes(sequence(place))).toBe(true);
      }
    });

    it('forgets views that were asked for, but never the highest', () => {
      const { keeper, reopen } = make();
      const asked = (v: number): Promised => ({ ...promise('view-change', 0, 0), view: view(v) });
      keeper.keep([asked(1), promise('commit', 4), asked(3), asked(2)]);
      keeper.forget(4);
      expect(keeper.read()).toEqual([asked(3)]);
      keeper.keep([asked(4)]);
      keeper.forget(8);
      expect(keeper.read()).toEqual([asked(4)]);
      expect(reopen().read()).toContainEqual(asked(4));
    });

    it('never loses after a crash what it had not forgotten', () => {
      const { keeper, reopen } = make();
      keeper.keep([1, 2, 3].map((place) => promise('commit', place)));
      keeper.forget(1);
      expect(reopen().read()).toEqual(expect.arrayContaining([promise('commit', 2), promise('commit', 3)]));
    });
  });
}

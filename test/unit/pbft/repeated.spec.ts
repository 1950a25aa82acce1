import { describe, expect, it } from '@jest/globals';
import type { Effect } from '../../../src/pbft/effects.js';
import { digest } from '../../../src/pbft/types.js';
import { CheckedReplica, sent } from '../../support/checked-replica.js';
import { ask, batch, certificate, prePrepare, proposal } from '../../support/core-messages.js';
import { RecordingApplication } from '../../support/recording-application.js';
import { viewChange } from '../../support/view-messages.js';

describe('what is said again and again', () => {
  it('gets no answer each time: whoever runs Redis can repeat a VIEW-CHANGE, and a NEW-VIEW is large', () => {
    const primary = new CheckedReplica({ resendTicks: 4 });
    const asked = [0, 2, 3].map((signer) => viewChange(signer, 1));
    primary.receive(...asked);
    expect([primary.core.view, primary.core.isChangingView]).toEqual([1, false]);
    const told = (times: number): number => {
      const repeated = Array.from({ length: times }, () => asked[1]!);
      return sent(primary.receive(...repeated)).filter(({ kind }) => kind === 'new-view').length;
    };
    primary.ticks(4);
    expect(told(100)).toBe(1);
    primary.ticks(4);
    expect(told(100)).toBe(1);
  });
});

describe('a request that two gateways were asked for', () => {
  it('is answered to the second one, too, once the first one has had it executed', () => {
    const replica = new CheckedReplica();
    const both = ['gateway-1', 'gateway-2'].map((gateway) => ask('key', 1, { gateway }));
    replica.submit(...both);
    const about = prePrepare(1, batch([both[0]!]));
    replica.step({ kind: 'certificate', certificate: certificate(about) });
    const answers = (effects: readonly Effect[]) =>
      effects.flatMap((effect) => (effect.kind === 'reply-again' ? [effect.gateway] : []));
    expect(answers(replica.tick())).toEqual(['gateway-2']);
    expect(answers(replica.ticks(10))).toEqual([]);
  });
});

describe('a word on a checkpoint', () => {
  it('stays the only one over a restart, though another state was found then', () => {
    let lives = 0;
    const replica = new CheckedReplica({
      checkpointInterval: 4,
      application: () => {
        const application = new RecordingApplication();
        if (lives++ === 0) application.checkpoint = () => digest('a bit has flipped');
        return application;
      },
    });
    const places = [1, 2, 3, 4].map((place) => certificate(proposal(place)));
    const first = places.flatMap((one) => replica.step({ kind: 'certificate', certificate: one }));
    const later = [...replica.restart(), ...replica.ticks(40)];
    const words = sent([...first, ...later]).filter(({ kind }) => kind === 'checkpoint');
    expect(words).toMatchObject([{ sequence: 4, digest: 'a bit has flipped' }]);
  });
});

import { sequence as asSequence, view as asView } from '../../pbft/types.js';
import { encodePhaseBody } from '../../wire/phase.js';
import { encodeCheckpoint } from '../../wire/views.js';
import { falseDigest, type Action, type Traitor } from './plot.js';
import { planting } from './planting.js';
import { openOthers } from './pledging.js';
import { proposals } from './proposals.js';
import { fabricate, farOffViewChange, newViewOnAny } from './view-lies.js';

const noAttachment = Buffer.alloc(0);
/** More than any log of a simulation holds. */
const farOffVotes = 40;

/** PREPAREs and COMMITs for whatever was proposed, to whom it likes. */
function voteForAnything(traitor: Traitor): void {
  const recent = traitor.plot.knowledge.recent(8);
  if (recent.length === 0) return;
  const { header } = traitor.random.pick(recent);
  traitor.did('double-vote');
  const body = encodePhaseBody(header);
  const isPrimary = header.view % traitor.n === traitor.index;
  if (!isPrimary) traitor.tell('prepare', traitor.sealer.seal('prepare', body), traitor.some(0.7));
  traitor.tell('commit', traitor.sealer.seal('commit', body), traitor.some(0.7));
}

/** A PREPARE for what it has itself proposed. */
function prepareAsPrimary(traitor: Traitor): void {
  const own = traitor.plot.knowledge.recent(16).filter(({ header }) => header.view % traitor.n === traitor.index);
  for (const { header } of own.slice(-4)) {
    traitor.did('prepare-of-primary');
    traitor.tell('prepare', traitor.sealer.seal('prepare', encodePhaseBody(header)), traitor.some(0.8));
  }
}

/** Votes far beyond the window. */
function voteFarOff(traitor: Traitor): void {
  const { knowledge } = traitor.plot;
  traitor.did('far-off-vote');
  const places = Array.from({ length: farOffVotes }, (_, index) => knowledge.highestPlace + 100 + index);
  for (const place of places) {
    const header = { view: asView(knowledge.highestView), sequence: asSequence(place), digest: falseDigest(traitor) };
    traitor.tell('commit', traitor.sealer.seal('commit', encodePhaseBody(header)), traitor.some(0.7));
  }
}

/** Votes of others, which these never signed. */
function impersonate(traitor: Traitor): void {
  const recent = traitor.plot.knowledge.recent(4);
  if (recent.length === 0) return;
  const { header } = traitor.random.pick(recent);
  const about = traitor.random.chance(0.5) ? header : { ...header, digest: falseDigest(traitor) };
  traitor.did('impersonation');
  const body = encodePhaseBody(about);
  for (let signer = 0; signer < traitor.n; signer++) {
    const kind = traitor.random.chance(0.5) ? 'prepare' : 'commit';
    const signature = traitor.sealer.signatureOf(kind, body);
    traitor.tell(kind, traitor.sealer.wrap(kind, body, signature, noAttachment, signer), traitor.some(0.6));
  }
}

/** Somebody's signature of a PREPARE under a COMMIT. */
function passOffAsCommits(traitor: Traitor): void {
  for (const { header, prepares } of traitor.plot.knowledge.recent(2)) {
    const body = encodePhaseBody(header);
    for (const [signer, signature] of prepares) {
      traitor.did('vote-in-another-role');
      traitor.tell('commit', traitor.sealer.wrap('commit', body, signature, noAttachment, signer), traitor.some(0.8));
    }
  }
}

/** Somebody's signature of a PREPARE under one of another view. */
function passOffInAnotherView(traitor: Traitor): void {
  const { knowledge } = traitor.plot;
  for (const { header, prepares } of knowledge.recent(4)) {
    const body = encodePhaseBody({ ...header, view: asView(header.view === 0 ? 1 : knowledge.highestView) });
    for (const [signer, signature] of prepares) {
      traitor.did('vote-in-another-view');
      traitor.tell('prepare', traitor.sealer.wrap('prepare', body, signature, noAttachment, signer), traitor.some(0.8));
    }
  }
}

function askForView(traitor: Traitor): void {
  const { knowledge } = traitor.plot;
  traitor.did('fabricated-view-change');
  const view = knowledge.highestView + traitor.random.below(2) + (knowledge.highestView === 0 ? 1 : 0);
  traitor.tell('view-change', fabricate(traitor, view), traitor.some(0.7));
}

function askForFarOffView(traitor: Traitor): void {
  traitor.did('far-off-view');
  traitor.tell('view-change', farOffViewChange(traitor), traitor.some(0.7));
}

/** Several NEW-VIEWs for one view, each sound by itself. */
function beginViewTwice(traitor: Traitor): void {
  const { viewChanges } = traitor.plot.knowledge;
  const own = [...viewChanges.keys()].filter((view) => view % traitor.n === traitor.index).sort((a, b) => a - b);
  const view = own.at(-1);
  if (view === undefined) return;
  const one = newViewOnAny(traitor, view);
  const other = newViewOnAny(traitor, view);
  if (one === undefined || other === undefined) return;
  traitor.did('two-new-views');
  const half = traitor.some(0.5);
  traitor.tell('new-view', one, half);
  traitor.tell(
    'new-view',
    other,
    traitor.some(0.8).filter((name) => !half.includes(name)),
  );
}

function lieAboutFarCheckpoint(traitor: Traitor): void {
  const { checkpointInterval } = traitor.plot.parts.configuration;
  const near = Math.ceil(Math.max(1, traitor.plot.knowledge.highestPlace) / checkpointInterval) * checkpointInterval;
  const sequence = asSequence(traitor.random.chance(0.8) ? near : near * 1000);
  traitor.did('false-checkpoint');
  const body = encodeCheckpoint({ sequence, digest: falseDigest(traitor) });
  traitor.tell('checkpoint', traitor.sealer.seal('checkpoint', body), traitor.some(0.7));
}

/** Whatever anybody has said, once more. */
function replay(traitor: Traitor): void {
  const { heard } = traitor.plot.knowledge;
  if (heard.length === 0) return;
  traitor.did('replay');
  for (let count = 0; count < 4; count++) {
    const { channel, payload } = traitor.random.pick(heard);
    for (const name of traitor.some(0.6)) traitor.plot.parts.network.tell(traitor.name, name, channel, payload);
  }
}

function censor(traitor: Traitor): void {
  traitor.isCensoring = !traitor.isCensoring;
}

/** It forgets everything: its log and its promises. */
function forget(traitor: Traitor): void {
  const { replica, plot } = traitor;
  if (replica.life === undefined || !traitor.random.chance(0.3)) return;
  traitor.did('amnesia');
  replica.kill();
  replica.forgetPromises();
  plot.parts.logRedis.putBack(replica.name, new Map());
  plot.parts.time.after(traitor.random.between(10, 500), () => {
    if (replica.life === undefined) replica.start();
  });
}

export const actions: readonly Action[] = [
  { kind: 'double-vote', act: voteForAnything },
  { kind: 'prepare-of-primary', act: prepareAsPrimary },
  ...proposals,
  ...planting,
  { kind: 'far-off-vote', act: voteFarOff },
  { kind: 'impersonation', act: impersonate },
  { kind: 'vote-in-another-role', act: passOffAsCommits },
  { kind: 'vote-in-another-view', act: passOffInAnotherView },
  { kind: 'stolen-opening', act: openOthers },
  { kind: 'fabricated-view-change', act: askForView },
  { kind: 'far-off-view', act: askForFarOffView },
  { kind: 'two-new-views', act: beginViewTwice },
  { kind: 'false-checkpoint', act: lieAboutFarCheckpoint },
  { kind: 'replay', act: replay },
  { kind: 'censoring-primary', act: censor },
  { kind: 'amnesia', act: forget },
];

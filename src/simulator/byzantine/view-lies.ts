import { sequence as asSequence, view as asView, digest as asDigest } from '../../pbft/types.js';
import { nullBatch } from '../../replica/batch-book.js';
import type { Frame } from '../../wire/frame.js';
import { encodePhaseBody } from '../../wire/phase.js';
import {
  decodeNewView,
  decodeViewChange,
  encodeNewView,
  encodeViewChange,
  type CertificateBody,
  type NewViewBody,
  type ViewChangeBody,
} from '../../wire/views.js';
import type { Support } from './knowledge.js';
import type { Reworking, Traitor, Version } from './plot.js';

/** Lies about views: in VIEW-CHANGEs and NEW-VIEWs, instead of what an honest replica would say, and besides. */

const noDigest = asDigest('0'.repeat(64));
/** A view that is far off. */
const farOff = 1000;

type Lie = (body: ViewChangeBody, traitor: Traitor) => ViewChangeBody | undefined;

function inViewChange(lie: Lie) {
  return (frame: Frame, traitor: Traitor): Version | undefined => {
    if (frame.kind !== 'view-change' || frame.signer !== traitor.index) return undefined;
    const body = lie(decodeViewChange(frame.body), traitor);
    if (body === undefined) return undefined;
    const bytes = traitor.sealer.seal('view-change', encodeViewChange(body));
    return () => bytes;
  };
}

/** Nothing has prepared, as if. */
const empty: Lie = (body) => (body.prepared.length === 0 ? undefined : { ...body, prepared: [] });

/** Certificates of lower views than there are, an older checkpoint. */
const stale: Lie = (body, traitor) => {
  const old = traitor.random.chance(0.5) ? noCheckpoint : body.stable;
  const prepared = body.prepared.flatMap((certificate) => {
    const older = certificateFor(
      traitor,
      (header) => header.sequence === certificate.sequence && header.view < certificate.view,
    );
    return older ?? [];
  });
  return { ...body, stable: old, prepared };
};

const noCheckpoint: ViewChangeBody['stable'] = { sequence: asSequence(0), digest: noDigest, signatures: [] };

/** Certificates that do not prove anything: of too few, of one signer several times, for another digest, of another key. */
const forged: Lie = (body, traitor) => {
  const [first, ...rest] = body.prepared;
  if (first === undefined) return undefined;
  const own = traitor.sealer.signatureOf('prepare', encodePhaseBody(first));
  const [vote] = first.prepares;
  const certificate = traitor.random.pick<CertificateBody>([
    { ...first, prepares: first.prepares.slice(1) },
    { ...first, prepares: [] },
    { ...first, prepares: first.prepares.map(() => vote ?? { signer: traitor.index, signature: own }) },
    { ...first, digest: nullBatch.digest },
    { ...first, view: asView(body.view - 1) },
    { ...first, prepares: first.prepares.map(({ signer }) => ({ signer, signature: own })) },
    { ...first, prePrepare: traitor.sealer.signatureOf('pre-prepare', encodePhaseBody(first)) },
  ]);
  return { ...body, prepared: [certificate, ...rest] };
};

function inNewView(lie: (body: NewViewBody, traitor: Traitor) => NewViewBody | undefined) {
  return (frame: Frame, traitor: Traitor): Version | undefined => {
    if (frame.kind !== 'new-view' || frame.signer !== traitor.index) return undefined;
    const body = lie(decodeNewView(frame.body), traitor);
    if (body === undefined) return undefined;
    const bytes = traitor.sealer.seal('new-view', encodeNewView(body));
    return () => bytes;
  };
}

/** Another order than follows: one place has another batch, or none at the end, or one too many. */
function misorder(body: NewViewBody, traitor: Traitor): NewViewBody | undefined {
  const { random } = traitor;
  const signed = (sequence: number, digest: typeof noDigest) => {
    const header = { view: body.view, sequence: asSequence(sequence), digest };
    return { ...header, signature: traitor.sealer.signatureOf('pre-prepare', encodePhaseBody(header)) };
  };
  const other = traitor.plot.knowledge.recent(8).map(({ header }) => header.digest);
  const digest = random.pick([nullBatch.digest, ...other]);
  const last = body.prePrepares.at(-1);
  if (last === undefined) return { ...body, prePrepares: [signed(1, digest)] };
  const place = random.below(body.prePrepares.length);
  return random.pick([
    { ...body, prePrepares: body.prePrepares.slice(0, -1) },
    { ...body, prePrepares: [...body.prePrepares, signed(last.sequence + 1, digest)] },
    {
      ...body,
      prePrepares: body.prePrepares.map((one, index) => (index === place ? signed(one.sequence, digest) : one)),
    },
  ]);
}

/** On too few VIEW-CHANGEs, or on one of them several times. */
function onTooFew(body: NewViewBody, traitor: Traitor): NewViewBody | undefined {
  const [first, ...rest] = body.viewChangeFrames;
  if (first === undefined) return undefined;
  return { ...body, viewChangeFrames: traitor.random.pick([rest, [first, first, ...rest.slice(1)]]) };
}

export const viewReworkings: readonly Reworking[] = [
  { kind: 'empty-view-change', probability: 0.5, rework: inViewChange(empty) },
  { kind: 'stale-certificate', probability: 0.5, rework: inViewChange(stale) },
  { kind: 'forged-certificate', probability: 0.5, rework: inViewChange(forged) },
  { kind: 'wrong-order', probability: 0.5, rework: inNewView(misorder) },
  { kind: 'new-view-from-too-few', probability: 0.5, rework: inNewView(onTooFew) },
];

/** A prepared certificate out of what was heard, with the votes of all Byzantine replicas. */
function certificateFor(traitor: Traitor, fits: (header: Support['header']) => boolean): CertificateBody | undefined {
  const support = traitor.plot.knowledge.recent(64).find(({ header }) => fits(header));
  return support && certificateOf(traitor, support);
}

function certificateOf(traitor: Traitor, { header, prePrepare, prepares }: Support): CertificateBody | undefined {
  const primary = header.view % traitor.n;
  const votes = new Map(prepares);
  if (traitor.index !== primary)
    votes.set(traitor.index, traitor.sealer.signatureOf('prepare', encodePhaseBody(header)));
  votes.delete(primary);
  // One that proves nothing, each signature of which is genuine, is what a careless reader would take.
  const isForged = traitor.isOn('forged-certificate') && traitor.random.chance(0.3);
  if (votes.size < traitor.q - 1 && !isForged) return undefined;
  const signed = [...votes].slice(0, traitor.q - 1).map(([signer, signature]) => ({ signer, signature }));
  return { ...header, prePrepare, prepares: signed };
}

/** A VIEW-CHANGE that says of the past what suits it: any part of what was ever proven. */
export function fabricate(traitor: Traitor, view: number): Buffer {
  const { random, plot } = traitor;
  const proven = [...plot.knowledge.checkpoints.values()].filter(({ signatures }) => signatures.size >= traitor.q);
  const chosen = random.chance(0.7) ? proven.at(-1) : undefined;
  const stable =
    chosen === undefined
      ? noCheckpoint
      : {
          sequence: chosen.sequence,
          digest: chosen.digest,
          signatures: [...chosen.signatures].slice(0, traitor.q).map(([signer, signature]) => ({ signer, signature })),
        };
  const high = stable.sequence + traitor.plot.parts.configuration.logSize;
  const byPlace = new Map<number, CertificateBody>();
  for (const support of plot.knowledge.recent(64)) {
    const { sequence, view: proposedIn } = support.header;
    if (sequence <= stable.sequence || sequence > high || proposedIn >= view || random.chance(0.4)) continue;
    const certificate = certificateOf(traitor, support);
    if (certificate !== undefined && (!byPlace.has(sequence) || random.chance(0.5))) byPlace.set(sequence, certificate);
  }
  const prepared = random.chance(0.3) ? [] : [...byPlace.values()].sort((a, b) => a.sequence - b.sequence);
  return traitor.sealer.seal('view-change', encodeViewChange({ view: asView(view), stable, prepared }));
}

export function farOffViewChange(traitor: Traitor): Buffer {
  return fabricate(traitor, traitor.plot.knowledge.highestView + farOff);
}

/** A NEW-VIEW that follows from its VIEW-CHANGEs, on any q of those that there are: each may be told another one. */
export function newViewOnAny(traitor: Traitor, view: number): Buffer | undefined {
  const { random, plot } = traitor;
  const heard = [...(plot.knowledge.viewChanges.get(view) ?? [])].filter(([signer]) => signer !== traitor.index);
  const frames = random.shuffled([fabricate(traitor, view), ...heard.map(([, bytes]) => bytes)]).slice(0, traitor.q);
  if (frames.length < traitor.q) return undefined;
  const bodies = frames.flatMap((bytes) => bodyOf(bytes));
  const least = Math.max(...bodies.map(({ stable }) => stable.sequence));
  const best = new Map<number, CertificateBody>();
  for (const certificate of bodies.flatMap(({ prepared }) => prepared)) {
    const known = best.get(certificate.sequence);
    if (known === undefined || certificate.view > known.view) best.set(certificate.sequence, certificate);
  }
  const most = Math.max(least, ...best.keys());
  const prePrepares = Array.from({ length: most - least }, (_, offset) => {
    const sequence = asSequence(least + 1 + offset);
    const header = { view: asView(view), sequence, digest: best.get(sequence)?.digest ?? nullBatch.digest };
    return { ...header, signature: traitor.sealer.signatureOf('pre-prepare', encodePhaseBody(header)) };
  });
  return traitor.sealer.seal('new-view', encodeNewView({ view: asView(view), viewChangeFrames: frames, prePrepares }));
}

/** The body of a VIEW-CHANGE frame: u8 ‖ u8 ‖ 8 bytes ‖ u64 ‖ u16 come before it, 64 bytes and an attachment behind. */
function bodyOf(bytes: Buffer): ViewChangeBody[] {
  const bodyOffset = 24;
  const length = bytes.readUInt32BE(bodyOffset - 4);
  return [decodeViewChange(bytes.subarray(bodyOffset, bodyOffset + length))];
}

import { sha256 } from '../../crypto/digest.js';
import { decoded, type Frame } from '../../wire/frame.js';
import { decodePhaseBody, decodeProposal, digestOfBatchBytes, encodeBatch, encodePhaseBody } from '../../wire/phase.js';
import {
  decodeReplyAttachment,
  decodeReplyBody,
  encodeReplyAttachments,
  encodeReplyBody,
  proveReplies,
} from '../../wire/reply.js';
import {
  decodeCertificate,
  decodeQueryReply,
  decodeStatus,
  encodeCertificate,
  encodeQueryReply,
  encodeStatus,
} from '../../wire/service.js';
import { decodeStateChunk, encodeStateChunk } from '../../wire/state-transfer.js';
import { decodeCheckpoint, encodeCheckpoint } from '../../wire/views.js';
import { openFalsely, pledgeTwice } from './pledging.js';
import { divided, falseDigest, scratched, type Reworking, type Traitor, type Version } from './plot.js';
import { viewReworkings } from './view-lies.js';

/** Bytes of a batch before its bundles: the view, then the time. */
const timeOffset = 8;

/** Two proposals for one place: the same bundles at another time, or another bundle. */
function equivocate(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind !== 'pre-prepare' || frame.signer !== traitor.index) return undefined;
  const { view, sequence } = decodePhaseBody('pre-prepare', frame.signer, frame.body);
  let batch = traitor.plot.knowledge.wholeOf(frame.attachment);
  if (batch === undefined) return undefined;
  if (traitor.random.chance(0.5)) {
    batch = encodeBatch(view, Number(batch.readBigUInt64BE(timeOffset)), traitor.plot.bundlesFor('fresh'));
  } else {
    batch.writeUInt32BE((batch.readUInt32BE(timeOffset + 4) + 1 + traitor.random.below(3)) >>> 0, timeOffset + 4);
  }
  const body = encodePhaseBody({ view, sequence, digest: digestOfBatchBytes(batch) });
  return divided(traitor, frame.bytes, traitor.sealer.seal('pre-prepare', body, batch));
}

/** Under one signature, which covers the digest alone, another batch than that. */
function exchangeBatch(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind !== 'pre-prepare' || frame.signer !== traitor.index) return undefined;
  const batch = Buffer.from(frame.attachment);
  if (batch.length <= 2 * timeOffset) return undefined;
  batch.writeUInt32BE((batch.readUInt32BE(timeOffset + 4) + 1) >>> 0, timeOffset + 4);
  return divided(traitor, frame.bytes, traitor.sealer.wrap('pre-prepare', frame.body, frame.signature, batch));
}

/** To some of the others it names a bundle that there is not. */
function nameNothing(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind !== 'pre-prepare' || frame.signer !== traitor.index) return undefined;
  const { view, time, bundles } = decodeProposal(frame.attachment);
  const names = bundles.map((name) => (traitor.random.chance(0.7) ? scratched(name, traitor) : name));
  const attachment = encodeBatch(view, time, names);
  return divided(traitor, frame.bytes, traitor.sealer.wrap('pre-prepare', frame.body, frame.signature, attachment));
}

/** To some of the others it votes for something else. */
function voteTwice(frame: Frame, traitor: Traitor): Version | undefined {
  const { kind } = frame;
  if ((kind !== 'prepare' && kind !== 'commit') || frame.signer !== traitor.index) return undefined;
  const { view, sequence, digest } = decodePhaseBody(kind, frame.signer, frame.body);
  const rival = traitor.plot.knowledge
    .recent(32)
    .find(({ header }) => header.sequence === sequence && header.view === view && header.digest !== digest);
  const other = rival?.header.digest ?? falseDigest(traitor);
  return divided(traitor, frame.bytes, traitor.sealer.seal(kind, encodePhaseBody({ view, sequence, digest: other })));
}

function withhold(frame: Frame): Version | undefined {
  return frame.kind === 'status' ? undefined : () => undefined;
}

function sendToSome(frame: Frame, traitor: Traitor): Version | undefined {
  return frame.kind === 'status' ? undefined : divided(traitor, frame.bytes, undefined);
}

/** Another result than there is, well signed. */
function lieInReply(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind !== 'reply') return undefined;
  const statement = decodeReplyBody(frame.body);
  const result = Buffer.from(`{"lie":${traitor.random.below(9)}}`);
  const items = decodeReplyAttachment(frame.attachment, statement).map(({ executed }, index) => ({
    ...executed,
    result,
    index,
  }));
  if (items.length === 0) return undefined;
  const leaves = items.map(({ requestDigest }) => ({ requestDigest, resultDigest: sha256(result) }));
  const lie = { ...statement, size: leaves.length, root: proveReplies(leaves).root };
  const attachment = encodeReplyAttachments({ statement: lie, leaves }, items)[0];
  return () => traitor.sealer.seal('reply', encodeReplyBody(lie), attachment);
}

/** Another value, or claims of having seen less or more. */
function lieInQueryReply(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind !== 'query-reply') return undefined;
  const { random } = traitor;
  const answer = decodeQueryReply(frame.body);
  const lie = {
    ...answer,
    lastExecuted: random.pick([answer.lastExecuted, answer.lastExecuted + 1000, 0]),
    lastPrepared: random.pick([answer.lastPrepared, 0]),
    value: random.pick([answer.value, undefined, Buffer.from(String(random.below(5)))]),
  };
  return () => traitor.sealer.seal('query-reply', encodeQueryReply(lie));
}

/** That it is far ahead, or far behind, or in a view far off. */
function lieAboutItself(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind !== 'status') return undefined;
  const { random } = traitor;
  const status = decodeStatus(frame.body);
  const lie = {
    ...status,
    view: random.pick([0, status.view, status.view + 1000]),
    lastExecuted: random.pick([0, status.lastExecuted + 1000]),
    stableCheckpoint: random.pick([0, status.stableCheckpoint + 1000]),
    stateDigest: falseDigest(traitor),
  };
  return divided(traitor, frame.bytes, traitor.sealer.seal('status', encodeStatus(lie)));
}

/** A checkpoint that nobody has, told to some. */
function lieAboutCheckpoint(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind !== 'checkpoint' || frame.signer !== traitor.index) return undefined;
  const { sequence } = decodeCheckpoint(frame.body);
  return divided(
    traitor,
    frame.bytes,
    traitor.sealer.seal('checkpoint', encodeCheckpoint({ sequence, digest: falseDigest(traitor) })),
  );
}

/** Committed certificates of too few, or for another batch; batches that were not asked for. */
function forgeCertificate(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind === 'batch')
    return () => traitor.sealer.seal('batch', frame.body, scratched(frame.attachment, traitor));
  if (frame.kind !== 'decided' || frame.attachment.length === 0) return undefined;
  const { batch, commitFrames } = decodeCertificate(frame.attachment);
  const [first] = commitFrames;
  if (first === undefined) return undefined;
  const attachment = traitor.random.pick([
    encodeCertificate(batch, commitFrames.slice(1)),
    encodeCertificate(batch, [first, ...commitFrames.slice(1).map(() => first)]),
    encodeCertificate(scratched(batch, traitor), commitFrames),
    encodeCertificate(batch, [scratched(first, traitor), ...commitFrames.slice(1)]),
  ]);
  return () => traitor.sealer.seal('decided', frame.body, attachment);
}

/** A state that is not there, its hash well signed. */
function lieAboutState(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind !== 'state-chunk') return undefined;
  const { target, nonce } = decodeStateChunk(frame.body, frame.attachment);
  const attachment = scratched(frame.attachment, traitor);
  const body = encodeStateChunk({ target, nonce, attachment: sha256(attachment) });
  return () => traitor.sealer.seal('state-chunk', body, attachment);
}

/** It proposes nearly too late. */
function delay(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind !== 'pre-prepare' || frame.signer !== traitor.index) return undefined;
  const { time, configuration } = traitor.plot.parts;
  const delayMs = traitor.random.next() * configuration.requestTimeoutTicks * 50;
  time.after(delayMs, () => {
    traitor.tell('pre-prepare', frame.bytes);
  });
  return () => undefined;
}

const all: readonly Reworking[] = [
  { kind: 'equivocation', probability: 0.5, rework: equivocate },
  { kind: 'other-batch', probability: 0.3, rework: exchangeBatch },
  { kind: 'false-name', probability: 0.3, rework: nameNothing },
  { kind: 'slow-primary', probability: 0.7, rework: delay },
  { kind: 'double-vote', probability: 0.3, rework: voteTwice },
  { kind: 'two-pledges', probability: 0.3, rework: pledgeTwice },
  { kind: 'false-opening', probability: 0.3, rework: openFalsely },
  { kind: 'lying-reply', probability: 0.5, rework: lieInReply },
  { kind: 'lying-query-reply', probability: 0.7, rework: lieInQueryReply },
  { kind: 'false-checkpoint', probability: 0.4, rework: lieAboutCheckpoint },
  { kind: 'lying-status', probability: 0.4, rework: lieAboutItself },
  { kind: 'forged-certificate', probability: 0.5, rework: forgeCertificate },
  { kind: 'false-state-chunk', probability: 0.6, rework: lieAboutState },
  ...viewReworkings,
  { kind: 'selective-send', probability: 0.2, rework: sendToSome },
  { kind: 'withheld-message', probability: 0.15, rework: withhold },
];

/** What a correct replica publishes always decodes; what was altered on the way is left as it is. */
export const reworkings: readonly Reworking[] = all.map(({ kind, probability, rework }) => ({
  kind,
  probability,
  rework: (frame, traitor) => {
    const version = decoded(() => rework(frame, traitor));
    return version === 'malformed-frame' ? undefined : version;
  },
}));

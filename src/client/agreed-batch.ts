import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Membership } from '../crypto/membership.js';
import type { Request, RequestBundle } from '../pbft/messages.js';
import { replicasMax } from '../pbft/quorum.js';
import { decodeBundleBody } from '../wire/bundle.js';
import type { Opener } from '../wire/envelope.js';
import { decoded } from '../wire/frame.js';
import type { Json } from '../wire/json.js';
import { decodeBatch, decodePhaseBody } from '../wire/phase.js';
import { decodeCertificate, encodeCertificate } from '../wire/service.js';
import type { AgreedBatch } from './cluster-client.js';

/** The cluster whose replicas are believed, q at a time. */
export interface Believed {
  readonly membership: Membership;
  readonly opener: Opener;
}

/** The batch in a certificate, if q distinct replicas have committed to it at this sequence number. */
export function agreedBatchIn(
  attachment: Buffer,
  sequence: number,
  { membership, opener }: Believed,
): AgreedBatch | undefined {
  const parts = decoded(() => decodeCertificate(attachment));
  if (parts === 'malformed-frame') return undefined;
  const bundles: RequestBundle[] = [];
  const batch = decoded(() =>
    decodeBatch(parts.batch, (bytes) => {
      const frame = opener.openInner(bytes, 'request');
      if (typeof frame === 'string') return frame;
      const { bundle } = decodeBundleBody(frame.body, bytes.length);
      bundles.push(bundle);
      return bundle;
    }),
  );
  if (typeof batch === 'string') return undefined;
  const certificate = new Map<number, { replica: string; frame: string }>();
  let view: number | undefined;
  for (const bytes of parts.commitFrames) {
    const frame = opener.openInner(bytes, 'commit');
    if (typeof frame === 'string') return undefined;
    const header = decoded(() => decodePhaseBody('commit', frame.signer, frame.body));
    if (header === 'malformed-frame' || header.digest !== batch.digest || header.sequence !== sequence)
      return undefined;
    view ??= header.view;
    if (header.view !== view || !opener.verify(frame)) return undefined;
    certificate.set(frame.signer, {
      replica: membership.replicas[frame.signer]?.name ?? '',
      frame: bytes.toString('base64'),
    });
  }
  if (view === undefined || certificate.size < membership.q) return undefined;
  return {
    sequence,
    view: batch.view,
    digest: batch.digest,
    time: batch.time,
    // Only now: what q replicas have committed to, a correct one has found to be operations, hence JSON.
    requests: bundles.flatMap(({ requests: ordered }) => ordered.map(describeRequest)),
    batch: parts.batch.toString('base64'),
    certificate: [...certificate.values()],
  };
}

const claimSchema = z.looseObject({
  batch: z.string(),
  certificate: z.array(z.looseObject({ frame: z.string() })).max(replicasMax),
});

/** Whether this is the batch that was agreed at `sequence`, in every member: its own bytes and certificate are all that is believed. */
export function isAgreedBatch(claim: Json, sequence: number, believed: Believed): boolean {
  const parsed = claimSchema.safeParse(claim);
  if (!parsed.success) return false;
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
  const frames = parsed.data.certificate.map(({ frame }) => bytes(frame));
  const agreed = agreedBatchIn(encodeCertificate(bytes(parsed.data.batch), frames), sequence, believed);
  return agreed !== undefined && isDeepStrictEqual(agreed, claim);
}

function describeRequest({ digest, client, timestamp, operation }: Request): AgreedBatch['requests'][number] {
  return { id: digest, client, timestamp, operation: JSON.parse(Buffer.from(operation).toString('utf8')) as Json };
}

import { decodeBundleBody } from '../wire/bundle.js';
import { decoded, decodeFrame, gatewaySigner, type Frame } from '../wire/frame.js';
import { decodePhaseBody } from '../wire/phase.js';
import { decodeDecided, decodeFetch, decodeStatus } from '../wire/service.js';
import { decodeCheckpoint, decodeFetchBatch, decodeNewView, decodeViewChange } from '../wire/views.js';

const short = (digest: string): string => digest.slice(0, 8);

/** A frame in a few words: kind, view/sequence, the beginning of a digest, who has signed it. */
export function describeFrame(bytes: Buffer, genesisDigest: Buffer): string {
  const frame = decodeFrame(bytes, genesisDigest);
  if (typeof frame === 'string') return `${bytes.length} bytes: ${frame}`;
  const signer = frame.signer === gatewaySigner ? '' : ` by ${frame.signer}`;
  const what = decoded(() => describeBody(frame));
  return `${frame.kind} ${what}${signer}`;
}

function describeBody({ kind, signer, body }: Frame): string {
  switch (kind) {
    case 'pre-prepare':
    case 'prepare':
    case 'commit': {
      const { view, sequence, digest } = decodePhaseBody(kind, signer, body);
      return `${view}/${sequence} ${short(digest)}`;
    }
    case 'checkpoint':
    case 'batch': {
      const { sequence, digest } = decodeCheckpoint(body);
      return `${sequence} ${short(digest)}`;
    }
    case 'fetch-batch': {
      const { target, sequence, digest } = decodeFetchBatch(body);
      return `${sequence} ${short(digest)} of ${target}`;
    }
    case 'view-change': {
      const { view, stable, prepared } = decodeViewChange(body);
      const certificates = prepared.map((one) => `${one.view}/${one.sequence} ${short(one.digest)}`);
      return `to ${view} from ${stable.sequence} [${certificates.join(', ')}]`;
    }
    case 'new-view': {
      const { view, viewChangeFrames, prePrepares } = decodeNewView(body);
      const order = prePrepares.map((one) => `${one.sequence} ${short(one.digest)}`);
      return `${view} on ${viewChangeFrames.length} view-changes [${order.join(', ')}]`;
    }
    case 'request': {
      const { bundle } = decodeBundleBody(body, 0);
      const requests = bundle.requests.map(({ client, timestamp }) => `${client.slice(0, 12)}#${timestamp}`);
      return `[${requests.join(', ')}] ${short(bundle.digest)}`;
    }
    case 'status': {
      const { view, lastExecuted, stableCheckpoint, stateDigest, notVoting } = decodeStatus(body);
      return `view ${view} executed ${lastExecuted} stable ${stableCheckpoint} ${short(stateDigest ?? '-')} ${notVoting}`.trimEnd();
    }
    case 'fetch': {
      const { target, from, count } = decodeFetch(signer, body);
      return `${from} to ${from + count - 1} of ${target}`;
    }
    case 'decided': {
      const { sequence, lastExecuted } = decodeDecided(body);
      return `${sequence} executed ${lastExecuted}`;
    }
    default:
      return `${body.length} bytes`;
  }
}

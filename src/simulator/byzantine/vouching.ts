import { tagBytes } from '../../ports/signatures.js';
import { decodeFrame, splitPacket, type Frame } from '../../wire/frame.js';
import { scratched, type Traitor, type Version } from './plot.js';

/** What can be done with the MACs of COMMITs. */

/** Packets of COMMITs that it looks back on. */
const lookBack = 8;

/** A COMMIT of its own over a false signature, with MACs that fit, or some that do not. */
function falselySigned(frame: Frame, traitor: Traitor, spoil: (tags: Buffer) => void): Version | undefined {
  if (frame.kind !== 'commit' || frame.signer !== traitor.index) return undefined;
  const signature = scratched(frame.signature, traitor);
  const tags = traitor.authenticator.of({ body: frame.body, signature });
  spoil(tags);
  const bytes = traitor.sealer.wrap('commit', frame.body, signature, tags);
  return () => bytes;
}

/** It counts everywhere, and shows nobody else anything. */
export function commitUnprovably(frame: Frame, traitor: Traitor): Version | undefined {
  return falselySigned(frame, traitor, () => undefined);
}

/** It counts at some of the others, who hear the same as the rest. */
export function vouchForSome(frame: Frame, traitor: Traitor): Version | undefined {
  return falselySigned(frame, traitor, (tags) => {
    for (let other = 0; other < traitor.n; other++) {
      if (traitor.random.chance(0.5)) tags.fill(other, other * tagBytes, (other + 1) * tagBytes);
    }
  });
}

/** Tells who has made a MAC for somebody what it was over, with that MAC, as that one's word. */
export function reflectTags(traitor: Traitor): void {
  const { knowledge, parts } = traitor.plot;
  const { replicas, digest } = parts.founders.membership;
  const packets = knowledge.heard.filter(({ channel }) => channel === 'commit').slice(-lookBack);
  const heard = packets.map(({ payload }) => splitPacket(payload)).filter((frames) => typeof frames !== 'string');
  for (const bytes of heard.flat()) {
    const frame = decodeFrame(bytes, digest);
    if (typeof frame === 'string' || frame.attachment.length !== traitor.n * tagBytes) continue;
    const { signer, body, signature, attachment } = frame;
    const speaker = traitor.random.below(traitor.n);
    const maker = replicas[signer]?.name;
    if (speaker === signer || signer === traitor.index || maker === undefined) continue;
    const tags = Buffer.from(attachment);
    attachment.copy(tags, signer * tagBytes, speaker * tagBytes, (speaker + 1) * tagBytes);
    traitor.did('reflected-tags');
    traitor.tell('commit', traitor.sealer.wrap('commit', body, signature, tags, speaker), [maker]);
  }
}

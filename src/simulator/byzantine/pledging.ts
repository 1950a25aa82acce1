import { openingBytes, isVote } from '../../wire/kinds.js';
import { decodeFrame, splitPacket, type Frame } from '../../wire/frame.js';
import { encodePhaseBody } from '../../wire/phase.js';
import { divided, scratched, type Traitor, type Version } from './plot.js';

/** What can be done with pledges and their openings (wire/pledges.ts). */

/** Packets of COMMITs that it looks back on. */
const lookBack = 8;
const noAttachment = Buffer.alloc(0);

/** To some of the others it says the same under another pledge: its COMMIT may open the one that they have, or the other. */
export function pledgeTwice(frame: Frame, traitor: Traitor): Version | undefined {
  if (!isVote(frame.kind) || frame.signer !== traitor.index) return undefined;
  return divided(traitor, frame.bytes, traitor.rivalSealer.seal(frame.kind, frame.body, frame.attachment));
}

/** To some of the others its COMMIT opens nothing. */
export function openFalsely(frame: Frame, traitor: Traitor): Version | undefined {
  if (frame.kind !== 'commit' || frame.signer !== traitor.index) return undefined;
  const signature = frame.signature.subarray(0, -openingBytes);
  const opening = scratched(frame.signature.subarray(-openingBytes), traitor);
  const said = Buffer.concat([signature, opening]);
  return divided(traitor, frame.bytes, traitor.sealer.wrap('commit', frame.body, said, noAttachment));
}

/** What has opened one pledge of somebody it puts with the others: as that one's COMMITs. */
export function openOthers(traitor: Traitor): void {
  const { knowledge, parts } = traitor.plot;
  const packets = knowledge.heard.filter(({ channel }) => channel === 'commit').slice(-lookBack);
  const heard = packets.map(({ payload }) => splitPacket(payload)).filter((frames) => typeof frames !== 'string');
  for (const bytes of heard.flat()) {
    const commit = decodeFrame(bytes, parts.founders.membership.digest);
    if (typeof commit === 'string' || commit.signer === traitor.index) continue;
    const opening = commit.signature.subarray(-openingBytes);
    for (const { header, prepares } of knowledge.recent(4)) {
      const pledged = prepares.get(commit.signer);
      if (pledged === undefined) continue;
      const said = Buffer.concat([pledged.subarray(0, -openingBytes), opening]);
      const lie = traitor.sealer.wrap('commit', encodePhaseBody(header), said, noAttachment, commit.signer);
      traitor.did('stolen-opening');
      traitor.tell('commit', lie, traitor.some(0.5));
    }
  }
}

import { sha256Bytes } from '../crypto/digest.js';
import { signatureBytes } from '../crypto/ed25519.js';
import { primaryOf } from '../pbft/quorum.js';
import { replicaIndex, view } from '../pbft/types.js';
import type { Signer, Verifier } from '../ports/signatures.js';
import { Reader } from './bytes.js';
import { decoded } from './frame.js';
import { voteBodyBytes, voteSignatureBytes, type Kind, type Vote } from './kinds.js';
import { Recent } from './recent.js';

/**
 * What a COMMIT is believed by (docs/protocol.md, rule 6). Whoever signs a PRE-PREPARE or a PREPARE signs a *pledge* with it, the SHA-256 of
 * 32 bytes that it alone can tell, and its COMMIT for the same view, sequence number and batch is to tell them: the *opening*. So a COMMIT
 * needs no signature of its own. It carries the one under the pledge, and whoever has verified that before has a hash to compute.
 *
 *     PRE-PREPARE, PREPARE:  64 bytes signature over preamble(kind) ‖ body ‖ pledge  ‖  32 bytes pledge
 *     COMMIT:                the same 64 bytes                                       ‖  32 bytes opening
 */

/** What a replica's pledge is made of. */
interface Vow {
  readonly signature: Buffer;
  readonly opening: Buffer;
}

type PreambleOf = (kind: Kind) => Buffer;

/** Vows that are remembered: our own, until we say COMMIT, and those that were verified, until their COMMITs come. */
const rememberedMax = 8192;

/** Signs the votes of one replica. */
export class VoteSigner {
  private readonly vows = new Recent<Vow>(rememberedMax);

  constructor(
    private readonly signer: Signer,
    private readonly preambleOf: PreambleOf,
    private readonly self: number,
    private readonly n: number,
  ) {}

  signatureOf(kind: Vote, body: Buffer): Buffer {
    const giver = kind === 'commit' ? pledgeIn(body, this.self, this.n) : kind;
    if (giver === undefined) throw new RangeError('a vote without a view');
    const { signature, opening } = this.vow(giver, body);
    return Buffer.concat([signature, kind === 'commit' ? opening : pledgeOf(opening)], voteSignatureBytes);
  }

  /** Made again it is the same, also by a later process. */
  private vow(giver: Vote, body: Buffer): Vow {
    const name = giver + body.toString('latin1');
    const known = this.vows.get(name);
    if (known !== undefined) return known;
    const opening = this.signer.openingOf(Buffer.concat([this.preambleOf('commit'), body]));
    const signature = this.signer.sign(Buffer.concat([this.preambleOf(giver), body, pledgeOf(opening)]));
    const vow = { signature, opening };
    this.vows.add(name, vow);
    return vow;
  }
}

/** Verifies replicas' votes. */
export class VoteVerifier {
  /** Pledges whose signature was verified. */
  private readonly pledges = new Recent<true>(rememberedMax);

  constructor(
    private readonly verifier: Verifier,
    private readonly preambleOf: PreambleOf,
    private readonly n: number,
  ) {}

  verify(kind: Vote, signer: number, body: Buffer, signed: Buffer): boolean {
    if (body.length !== voteBodyBytes || signed.length !== voteSignatureBytes) return false;
    const giver = kind === 'commit' ? pledgeIn(body, signer, this.n) : kind;
    if (giver === undefined) return false;
    const last = signed.subarray(signatureBytes);
    const pledge = kind === 'commit' ? pledgeOf(last) : last;
    const signature = signed.subarray(0, signatureBytes);
    const name = `${giver}${signer} ${[body, pledge, signature].map((bytes) => bytes.toString('latin1')).join('')}`;
    if (kind === 'commit' && this.pledges.has(name)) return true;
    const message = Buffer.concat([this.preambleOf(giver), body, pledge]);
    if (!this.verifier.verifyReplica(replicaIndex(signer), message, signature)) return false;
    this.pledges.add(name, true);
    return true;
  }
}

/** With which message this replica gives its pledge in the view that the body of a vote begins with: the primary proposes, the others prepare. */
function pledgeIn(body: Buffer, replica: number, n: number): 'pre-prepare' | 'prepare' | undefined {
  const about = decoded(() => view(new Reader(body).u64()));
  if (about === 'malformed-frame') return undefined;
  return primaryOf(about, n) === replica ? 'pre-prepare' : 'prepare';
}

function pledgeOf(opening: Uint8Array): Buffer {
  return sha256Bytes(opening);
}

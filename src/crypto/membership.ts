import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { QuorateError } from '../errors.js';
import { faultsTolerated, quorumSize, replicasMax, replicasMin } from '../pbft/quorum.js';
import { replicaIndex, type ReplicaIndex } from '../pbft/types.js';
import { publicKeyFromRaw, signatureBytes, verify } from './ed25519.js';
import { enrolmentStatement } from './enrolment.js';
import { genesisDigest, namePattern, preamble, type Genesis } from './genesis.js';
import { publicKeyBytes } from './public-key.js';
import { base64Bytes, firstIssue, hexBytes, wholeNumber } from './text-forms.js';

export type { Genesis } from './genesis.js';

/** The JSON form of a membership, as `GET /v1/membership` answers it and `quorate verify --membership` reads it. */
export interface MembershipDocument {
  readonly cluster: string;
  readonly epoch: number;
  readonly n: number;
  readonly f: number;
  readonly quorum: number;
  readonly genesis: {
    /** Hexadecimal SHA-256 of the genesis bytes. */
    readonly digest: string;
    readonly stateMachine: string;
    readonly checkpointInterval: number;
    readonly logSize: number;
    /** Base64 public key that admits replicas and gateways. */
    readonly authority: string;
    /** All n founders' signatures, in the order of `replicas`. */
    readonly signatures: readonly { readonly replica: string; readonly signature: string }[];
  };
  /** In the order that decides who is primary of which view. */
  readonly replicas: readonly {
    readonly id: string;
    /** Base64, 32 bytes. */
    readonly publicKey: string;
    /** Base64: the authority's signature that admitted this replica. */
    readonly enrolment: string;
  }[];
}

/** One replica of a membership. */
export interface Member {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly rawPublicKey: Buffer;
  /** Its signature of genesis. */
  readonly founderSignature: Buffer;
  /** The authority's signature that admitted it. */
  readonly enrolment: Buffer;
}

/** Bytes of a state machine's name in UTF-8. */
const stateMachineNameBytesMax = 255;

/** The largest checkpoint interval and log size: they are written as u32. */
const uint32Max = 0xffff_ffff;

function invalid(message: string): QuorateError {
  return new QuorateError('invalid-membership', message);
}

/**
 * What a founder checks before it signs, and everybody before they believe: bounds, distinct names, distinct and sound
 * keys (rules 1, 6, 36).
 * @throws {QuorateError} `invalid-membership`
 */
export function assertSoundGenesis(genesis: Genesis): void {
  keysOfSound(genesis);
}

/** Checks a genesis and gives its keys, the authority's and the replicas'. */
function keysOfSound(genesis: Genesis) {
  const { cluster, authority, stateMachine, checkpointInterval, logSize, replicas } = genesis;
  if (!namePattern.test(cluster)) throw invalid(`a cluster cannot be called ${JSON.stringify(cluster)}`);
  const isNamed = stateMachine.length > 0 && !/\p{Surrogate}/u.test(stateMachine);
  if (!isNamed || Buffer.byteLength(stateMachine) > stateMachineNameBytesMax) {
    throw invalid(`a state machine's name has 1 to ${String(stateMachineNameBytesMax)} bytes of UTF-8`);
  }
  if (!isWithin(checkpointInterval, 1, uint32Max)) throw invalid('the checkpoint interval is out of bounds');
  if (!isWithin(logSize, 2 * checkpointInterval, uint32Max)) {
    throw invalid('the log must hold at least two checkpoint intervals');
  }
  if (!isWithin(replicas.length, replicasMin, replicasMax)) {
    const range = `${String(replicasMin)} to ${String(replicasMax)}`;
    throw invalid(`a cluster has ${range} replicas, not ${String(replicas.length)}`);
  }
  const names = new Set(replicas.map(({ name }) => name));
  if (names.size < replicas.length) throw invalid('two replicas have one name');
  const strange = replicas.find(({ name }) => !namePattern.test(name));
  if (strange !== undefined) throw invalid(`a replica cannot be called ${JSON.stringify(strange.name)}`);
  const keys = new Set([authority, ...replicas.map(({ publicKey }) => publicKey)].map((key) => key.toString('hex')));
  if (keys.size < replicas.length + 1) throw invalid('one public key stands for two');
  return {
    authority: soundKey(authority, 'the authority'),
    members: replicas.map(({ name, publicKey }) => {
      return { name, rawPublicKey: publicKey, publicKey: soundKey(publicKey, name) };
    }),
  };
}

function soundKey(raw: Buffer, owner: string): KeyObject {
  try {
    return publicKeyFromRaw(raw);
  } catch (error) {
    if (error instanceof QuorateError) throw invalid(`${owner}: ${error.message}`);
    throw error;
  }
}

function isWithin(value: number, minimum: number, maximum: number): boolean {
  return Number.isSafeInteger(value) && value >= minimum && value <= maximum;
}

/**
 * Who the replicas are, and why one may believe it: every founder has signed genesis, and the authority has admitted
 * every founder. An instance exists only if all of that was verified.
 */
export class Membership {
  /** SHA-256 of the genesis bytes, 32 bytes. */
  readonly digest: Buffer;
  readonly digestHex: string;
  /** 0: as founded. */
  readonly epoch = 0;
  readonly n: number;
  readonly f: number;
  readonly q: number;
  /** In the order that decides who is primary of which view. */
  readonly replicas: readonly Member[];
  private readonly indices: ReadonlyMap<string, ReplicaIndex>;

  /**
   * @param founderSignatures in the order of `genesis.replicas`
   * @param enrolments in the order of `genesis.replicas`
   * @throws {QuorateError} `invalid-membership`
   */
  constructor(
    readonly genesis: Genesis,
    founderSignatures: readonly Buffer[],
    enrolments: readonly Buffer[],
  ) {
    const keys = keysOfSound(genesis);
    this.digest = genesisDigest(genesis);
    this.digestHex = this.digest.toString('hex');
    this.n = genesis.replicas.length;
    this.f = faultsTolerated(this.n);
    this.q = quorumSize(this.n);
    const statement = preamble(this.digest, this.epoch, 'genesis');
    this.replicas = keys.members.map(({ name, rawPublicKey, publicKey }, index): Member => {
      const founderSignature = founderSignatures[index];
      if (founderSignature === undefined || !verify(publicKey, statement, founderSignature)) {
        throw invalid(`${name} has not signed genesis`);
      }
      const enrolment = enrolments[index];
      if (enrolment === undefined || !isEnrolled(keys.authority, genesis.cluster, name, rawPublicKey, enrolment)) {
        throw invalid(`the authority has not admitted ${name}`);
      }
      return { name, publicKey, rawPublicKey, founderSignature, enrolment };
    });
    if (founderSignatures.length !== this.n || enrolments.length !== this.n)
      throw invalid('more signatures than replicas');
    this.indices = new Map(genesis.replicas.map(({ name }, index) => [name, replicaIndex(index)]));
  }

  /** The place of the replica of this name; `undefined` when there is none. */
  indexOf(name: string): ReplicaIndex | undefined {
    return this.indices.get(name);
  }
}

/** A replica enrolled under its name, or, when its name was allotted, under none. */
function isEnrolled(
  authority: KeyObject,
  cluster: string,
  name: string,
  publicKey: Buffer,
  enrolment: Buffer,
): boolean {
  return [name, ''].some((requested) =>
    verify(authority, enrolmentStatement({ cluster, role: 'replica', publicKey, name: requested }), enrolment),
  );
}

/** The public JSON form of a membership. */
export function membershipDocument({ genesis, digestHex, epoch, n, f, q, replicas }: Membership): MembershipDocument {
  return {
    cluster: genesis.cluster,
    epoch,
    n,
    f,
    quorum: q,
    genesis: {
      digest: digestHex,
      stateMachine: genesis.stateMachine,
      checkpointInterval: genesis.checkpointInterval,
      logSize: genesis.logSize,
      authority: genesis.authority.toString('base64'),
      signatures: replicas.map(({ name, founderSignature }) => {
        return { replica: name, signature: founderSignature.toString('base64') };
      }),
    },
    replicas: replicas.map(({ name, rawPublicKey, enrolment }) => {
      return { id: name, publicKey: rawPublicKey.toString('base64'), enrolment: enrolment.toString('base64') };
    }),
  };
}

const documentSchema = z.strictObject({
  cluster: z.string().regex(namePattern),
  epoch: z.literal(0),
  n: wholeNumber(replicasMin, replicasMax),
  f: wholeNumber(1),
  quorum: wholeNumber(1),
  genesis: z.strictObject({
    digest: hexBytes(32),
    stateMachine: z.string().max(stateMachineNameBytesMax),
    checkpointInterval: wholeNumber(1, uint32Max),
    logSize: wholeNumber(1, uint32Max),
    authority: base64Bytes(publicKeyBytes),
    signatures: z
      .array(z.strictObject({ replica: z.string(), signature: base64Bytes(signatureBytes) }))
      .max(replicasMax),
  }),
  replicas: z
    .array(
      z.strictObject({
        id: z.string(),
        publicKey: base64Bytes(publicKeyBytes),
        enrolment: base64Bytes(signatureBytes),
      }),
    )
    .min(replicasMin)
    .max(replicasMax),
});

/**
 * Reads a membership document and verifies all of it. It vouches for itself: whoever reads it must still know from
 * elsewhere that `digestHex` names the cluster that they mean.
 * @throws {QuorateError} `invalid-membership`
 */
export function parseMembership(json: unknown): Membership {
  const parsed = documentSchema.safeParse(json);
  if (!parsed.success) throw invalid(firstIssue(parsed.error));
  const { cluster, n, f, quorum, genesis, replicas } = parsed.data;
  const { digest, signatures, ...rest } = genesis;
  const founders = replicas.map(({ id, publicKey }) => ({ name: id, publicKey }));
  if (
    signatures.length !== founders.length ||
    signatures.some(({ replica }, index) => replica !== founders[index]?.name)
  ) {
    throw invalid('the signatures are not those of the replicas, in their order');
  }
  const claimed = { cluster, ...rest, replicas: founders };
  if (!digest.equals(genesisDigest(claimed))) throw invalid('the genesis digest is another one');
  const membership = new Membership(
    claimed,
    signatures.map(({ signature }) => signature),
    replicas.map(({ enrolment }) => enrolment),
  );
  if (n !== membership.n || f !== membership.f || quorum !== membership.q) throw invalid('n, f or quorum is wrong');
  return membership;
}

import { setTimeout as delay } from 'node:timers/promises';
import { publicKeyFromRaw, sign, verify, type Identity } from '../crypto/ed25519.js';
import { enrolmentStatement, type EnrolmentRole } from '../crypto/enrolment.js';
import { genesisDigest, preamble, type Genesis } from '../crypto/genesis.js';
import { Membership, membershipDocument, parseMembership } from '../crypto/membership.js';
import { QuorateError } from '../errors.js';
import type { EnrolmentBoard } from '../ports/enrolment-board.js';
import type { DataFolder } from './data-folder.js';
import {
  encodeCandidate,
  encodeProposal,
  orderFounders,
  readCandidate,
  readProposal,
  type Candidate,
  type Proposal,
} from './proposal.js';

/** What a founder insists on: a proposal that says otherwise is not signed. */
export interface FoundingTerms {
  readonly cluster: string;
  readonly replicas: number;
  readonly stateMachine: string;
  readonly checkpointInterval: number;
  readonly logSize: number;
}

export interface FoundingOptions {
  readonly terms: FoundingTerms;
  readonly folder: DataFolder;
  /** Derived from the join token. */
  readonly authority: Identity;
  readonly board: EnrolmentBoard;
  /** Told what is waited for whenever that changes. */
  readonly report: (progress: string) => void;
  readonly signal: AbortSignal;
}

const pollMs = 150;
const genesisFile = 'genesis.json';
const signedFile = 'signed-genesis';

/**
 * Founds the cluster together with the other founders, or returns the membership that this folder pinned when it did.
 *
 * Everybody puts its key up, admitted by the authority. When n have, somebody proposes genesis; each founder checks that
 * it is itself in it, that all of them were admitted and that the terms are its own, and signs it. A founder signs one
 * genesis in its life (rule 36): which one is in its folder before the signature leaves it. All n signatures make it.
 * @throws {QuorateError} `enrolment-refused` when the cluster was founded without us or on other terms
 */
export async function found(options: FoundingOptions): Promise<Membership> {
  const pinned = pinnedMembership(options.folder, options.terms.cluster);
  if (pinned !== undefined) return pinned;
  const own = ownCandidate(options);
  let reported = '';
  for (;;) {
    options.signal.throwIfAborted();
    const step = await tryStep(options, own);
    if (step instanceof Membership) {
      options.folder.write(genesisFile, JSON.stringify(membershipDocument(step), null, 2));
      return step;
    }
    if (step !== reported) options.report((reported = step));
    await delay(pollMs, undefined, { signal: options.signal });
  }
}

/**
 * The membership of a cluster that others have founded, for a gateway; pinned in its folder when first seen.
 * @throws {QuorateError} `enrolment-refused` when what was founded does not hold under our join token
 */
export async function join(
  options: Omit<FoundingOptions, 'terms'> & {
    readonly cluster: string;
    /** Throws at a membership that is not wanted, before anything of it is kept. */
    readonly accept?: ((membership: Membership) => void) | undefined;
  },
): Promise<Membership> {
  const { folder, cluster, authority, board, signal, report, accept = () => undefined } = options;
  const pinned = pinnedMembership(folder, cluster);
  if (pinned !== undefined) {
    accept(pinned);
    return pinned;
  }
  let isReported = false;
  for (;;) {
    signal.throwIfAborted();
    const posted = await board.proposal().catch((error: unknown) => {
      rethrowUnlessUnreachable(error);
      return undefined;
    });
    if (posted !== undefined) {
      const proposal = readProposal(posted.genesis, cluster, authority.rawPublicKey);
      assertAdmitted(proposal, authority);
      const membership = complete(proposal, posted.signatures);
      if (membership !== undefined) {
        accept(membership);
        folder.write(genesisFile, JSON.stringify(membershipDocument(membership), null, 2));
        return membership;
      }
    }
    if (!isReported) report('waiting for the replicas to found the cluster');
    isReported = true;
    await delay(pollMs, undefined, { signal });
  }
}

/** The authority's admission of a key. Whoever has the join token can give it; each process gives it to itself. */
export function admit(authority: Identity, cluster: string, role: EnrolmentRole, name: string, key: Identity): Buffer {
  return sign(authority.privateKey, enrolmentStatement({ cluster, role, publicKey: key.rawPublicKey, name }));
}

function pinnedMembership(folder: DataFolder, cluster: string): Membership | undefined {
  const bytes = folder.read(genesisFile);
  if (bytes === undefined) return undefined;
  const membership = parseMembership(JSON.parse(bytes.toString('utf8')));
  if (membership.genesis.cluster === cluster) return membership;
  throw new QuorateError(
    'identity-mismatch',
    `the folder ${folder.path} belongs to cluster ${membership.genesis.cluster}, not ${cluster}`,
  );
}

function ownCandidate({ folder, terms, authority }: FoundingOptions): Candidate {
  const { identity, requestedName: name } = folder;
  const enrolment = admit(authority, terms.cluster, 'replica', name, identity);
  return { name, publicKey: identity.rawPublicKey, enrolment };
}

/** One round: the membership once it stands, else what is waited for. */
async function tryStep(options: FoundingOptions, own: Candidate): Promise<Membership | string> {
  const { board, terms, authority } = options;
  try {
    await putUp(options, own);
    const posted = await board.proposal();
    if (posted === undefined) return await proposeOrWait(options);
    const proposal = readProposal(posted.genesis, terms.cluster, authority.rawPublicKey);
    await checkAndSign(options, proposal, posted.signatures);
    const signatures = (await board.proposal())?.signatures ?? posted.signatures;
    const missing = unsigned(proposal, signatures);
    return complete(proposal, signatures) ?? `waiting for the signatures of ${missing.join(', ')} under genesis`;
  } catch (error) {
    rethrowUnlessUnreachable(error);
    return 'Redis cannot be reached';
  }
}

/** A lost connection is waited out; everything else is for the user. */
function rethrowUnlessUnreachable(error: unknown): void {
  if (error instanceof QuorateError || !(error instanceof Error) || error.name === 'AbortError') throw error;
}

async function putUp({ board }: FoundingOptions, own: Candidate): Promise<void> {
  const field = own.name === '' ? own.publicKey.toString('hex') : own.name;
  const record = encodeCandidate(own);
  if ((await board.post(field, record)).equals(record)) return;
  throw new QuorateError(
    'enrolment-refused',
    `${field} has enrolled with another key before. If that key is lost, remove the field "${field}" of the enrolment ` +
      'hash in Redis and start again; if it is not, give this replica another name',
  );
}

async function proposeOrWait({ board, terms, authority }: FoundingOptions): Promise<string> {
  const records = [...(await board.records()).values()];
  const candidates = records.flatMap((record) => readCandidate(record, terms.cluster, authority.publicKey) ?? []);
  const refused = records.length - candidates.length;
  if (candidates.length < terms.replicas) {
    const others = refused === 0 ? '' : `; ${refused} with another join token`;
    return `${candidates.length} of ${terms.replicas} replicas have enrolled${others}`;
  }
  const founders = orderFounders(candidates).slice(0, terms.replicas);
  const { replicas: _count, ...parameters } = terms;
  const genesis = {
    ...parameters,
    authority: authority.rawPublicKey,
    replicas: founders.map(({ name, publicKey }) => ({ name, publicKey })),
  };
  await board.propose(encodeProposal({ genesis, enrolments: founders.map(({ enrolment }) => enrolment) }));
  return 'genesis is proposed';
}

/** Signs the proposal if it is one to sign, unless our signature is there. */
async function checkAndSign(
  { terms, folder, authority, board }: FoundingOptions,
  proposal: Proposal,
  signatures: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const { genesis } = proposal;
  assertAdmitted(proposal, authority);
  const own = folder.identity.rawPublicKey;
  const self = genesis.replicas.find(({ publicKey }) => publicKey.equals(own));
  const names = genesis.replicas.map(({ name }) => name).join(', ');
  if (self === undefined) refuse(`cluster ${terms.cluster} has been founded by ${names}, without this replica`);
  if (folder.requestedName !== '' && self.name !== folder.requestedName)
    refuse(`genesis calls ${folder.requestedName} ${self.name}`);
  expectSame('REPLICAS', genesis.replicas.length, terms.replicas);
  expectSame('state machine', genesis.stateMachine, terms.stateMachine);
  expectSame('CHECKPOINT_INTERVAL', genesis.checkpointInterval, terms.checkpointInterval);
  expectSame('LOG_SIZE', genesis.logSize, terms.logSize);
  const digest = genesisDigest(genesis);
  const signed = folder.read(signedFile)?.toString('utf8');
  if (signed !== undefined && signed !== digest.toString('hex'))
    refuse('this replica has signed another genesis before');
  // Not whether something is there under our name: anybody who runs Redis could have put it there.
  const signature = sign(folder.identity.privateKey, preamble(digest, 0, 'genesis'));
  if (signatures.get(self.name)?.equals(signature) === true) return;
  if (signed === undefined) folder.write(signedFile, digest.toString('hex'));
  await board.sign(self.name, signature);
}

/** @throws {QuorateError} `enrolment-refused` unless this authority has admitted every founder */
function assertAdmitted({ genesis, enrolments }: Proposal, authority: Identity): void {
  genesis.replicas.forEach(({ name, publicKey }, index) => {
    const enrolment = enrolments[index] ?? Buffer.alloc(0);
    const isAdmitted = [name, ''].some((asked) => {
      const record = encodeCandidate({ name: asked, publicKey, enrolment });
      return readCandidate(record, genesis.cluster, authority.publicKey) !== undefined;
    });
    if (!isAdmitted) refuse(`${name}, a founder of ${genesis.cluster}, was not admitted with this join token`);
  });
}

/** The founders whose signature is not there, or is not theirs. */
function unsigned({ genesis }: Proposal, signatures: ReadonlyMap<string, Buffer>): string[] {
  const statement = preamble(genesisDigest(genesis), 0, 'genesis');
  const hasSigned = ({ name, publicKey }: Genesis['replicas'][number]): boolean => {
    const signature = signatures.get(name);
    return signature !== undefined && verify(publicKeyFromRaw(publicKey), statement, signature);
  };
  return genesis.replicas.filter((founder) => !hasSigned(founder)).map(({ name }) => name);
}

/** The membership, if every founder has signed. */
function complete(proposal: Proposal, signatures: ReadonlyMap<string, Buffer>): Membership | undefined {
  if (unsigned(proposal, signatures).length > 0) return undefined;
  const { genesis, enrolments } = proposal;
  const inOrder = genesis.replicas.map(({ name }) => signatures.get(name) ?? Buffer.alloc(0));
  return new Membership(genesis, inOrder, enrolments);
}

function expectSame(what: string, proposed: string | number, own: string | number): void {
  if (proposed !== own) refuse(`the proposed genesis has ${what} ${proposed}; this replica is set to ${own}`);
}

function refuse(message: string): never {
  throw new QuorateError('enrolment-refused', message);
}

import { setTimeout as delay } from 'node:timers/promises';
import { sign, type Identity } from '../crypto/ed25519.js';
import { enrolmentStatement, type EnrolmentRole } from '../crypto/enrolment.js';
import { genesisDigest, preamble } from '../crypto/genesis.js';
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
  options: Omit<FoundingOptions, 'terms'> & { readonly cluster: string },
): Promise<Membership> {
  const { folder, cluster, authority, board, signal, report } = options;
  const pinned = pinnedMembership(folder, cluster);
  if (pinned !== undefined) return pinned;
  let isReported = false;
  for (;;) {
    signal.throwIfAborted();
    const posted = await board.proposal().catch((error: unknown) => {
      rethrowUnlessUnreachable(error);
      return undefined;
    });
    if (posted !== undefined) {
      const proposal = readProposal(posted.genesis, cluster, authority.rawPublicKey);
      const membership = complete(proposal, posted.signatures);
      if (membership !== undefined) {
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
    const name = await checkAndSign(options, proposal, posted.signatures);
    const membership = complete(proposal, (await board.proposal())?.signatures ?? posted.signatures);
    if (membership !== undefined) return membership;
    const missing = proposal.genesis.replicas.filter(
      (replica) => !posted.signatures.has(replica.name) && replica.name !== name,
    );
    return `waiting for the signatures of ${missing.map((replica) => replica.name).join(', ')} under genesis`;
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

/** Signs the proposal if it is one to sign. @returns our name in it. */
async function checkAndSign(
  { terms, folder, authority, board }: FoundingOptions,
  { genesis, enrolments }: Proposal,
  signatures: ReadonlyMap<string, Buffer>,
): Promise<string> {
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
  genesis.replicas.forEach(({ name, publicKey }, index) => {
    const record = (requested: string): Buffer =>
      encodeCandidate({ name: requested, publicKey, enrolment: enrolments[index] ?? Buffer.alloc(0) });
    const isAdmitted = [name, ''].some((asked) => readCandidate(record(asked), terms.cluster, authority.publicKey));
    if (!isAdmitted) refuse(`${name} was not admitted with this join token`);
  });
  if (signatures.has(self.name)) return self.name;
  const digest = genesisDigest(genesis);
  const signed = folder.read(signedFile)?.toString('utf8');
  if (signed !== undefined && signed !== digest.toString('hex'))
    refuse('this replica has signed another genesis before');
  folder.write(signedFile, digest.toString('hex'));
  await board.sign(self.name, sign(folder.identity.privateKey, preamble(digest, 0, 'genesis')));
  return self.name;
}

/** The membership, if every founder has signed. */
function complete({ genesis, enrolments }: Proposal, signatures: ReadonlyMap<string, Buffer>): Membership | undefined {
  const inOrder = genesis.replicas.map(({ name }) => signatures.get(name));
  if (inOrder.some((signature) => signature === undefined)) return undefined;
  return new Membership(genesis, inOrder as Buffer[], enrolments);
}

function expectSame(what: string, proposed: string | number, own: string | number): void {
  if (proposed !== own) refuse(`the proposed genesis has ${what} ${proposed}; this replica is set to ${own}`);
}

function refuse(message: string): never {
  throw new QuorateError('enrolment-refused', message);
}

import type { Membership } from '../crypto/membership.js';
import { QuorateError } from '../errors.js';

/** Too few have answered by the deadline: who was heard from, who has replied, and who is silent. */
export function noQuorum(
  { replicas, q }: Membership,
  heard: Iterable<number>,
  repliers: readonly number[],
  what: string,
): QuorateError {
  const nameOf = (replica: number): string => replicas[replica]?.name ?? '';
  const answered = new Set([...heard, ...repliers]);
  const silent = replicas.filter((_, index) => !answered.has(index)).map(({ name }) => name);
  const names = [...answered].sort((a, b) => a - b).map(nameOf);
  const message = `${what} within the deadline; heard from ${names.join(', ') || 'nobody'}, the request may still commit`;
  return new QuorateError('no-quorum', message, {
    answered: names,
    silent,
    replied: repliers.map(nameOf),
    quorum: q,
    mayStillCommit: true,
  });
}

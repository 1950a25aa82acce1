/** The protocol's own vocabulary. Branded, so that a view is never passed where a sequence number is meant. */

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** A view number: 0, 1, 2 … Monotonic, never modulo anything (paper §4.1). */
export type View = Branded<number, 'View'>;

/** The place of a batch in the total order: 1, 2, 3 … (0 stands for "nothing yet"). */
export type SequenceNumber = Branded<number, 'SequenceNumber'>;

/** A replica's place in the membership's order: 0 … n−1. Its name lives at the edges. */
export type ReplicaIndex = Branded<number, 'ReplicaIndex'>;

/** A SHA-256 digest as 64 lower-case hexadecimal digits, so that `===` compares digests. */
export type Digest = Branded<string, 'Digest'>;

export const view = (value: number): View => value as View;
export const sequence = (value: number): SequenceNumber => value as SequenceNumber;
export const replicaIndex = (value: number): ReplicaIndex => value as ReplicaIndex;
export const digest = (value: string): Digest => value as Digest;

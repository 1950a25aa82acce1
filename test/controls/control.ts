import type { ScenarioName } from './scenarios/index.js';

/** One place of the production code, written otherwise. */
export interface Edit {
  /** From the repository's root. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

/**
 * The production code with a mistake in it, made on purpose: whoever has to find such a mistake must find this one.
 * There is no switch for it in the code itself: a control is a patch, and can hence never be on where it must not be.
 */
export interface Control {
  /** What is wrong, in the words of the list where it has them. */
  readonly name: string;
  /** The rule of docs/protocol.md that it breaks. */
  readonly rule: number;
  readonly edits: readonly Edit[];
  /** The directed scenario that ends badly with it, and well without. */
  readonly scenario: ScenarioName;
}
